from __future__ import annotations

import json

import pytest
from PIL import Image

from chainer_style import provenance
from chainer_style.engines import devices
from chainer_style.engines.base import Device
from chainer_style.errors import UserError
from chainer_style.experiments.rates import AT_LEAST, Rates
from chainer_style.paper import ITERATIONS, TABLE_4, TABLE_5, Cell

SMALL = Cell("vgg16", 16, "CPU")


@pytest.fixture
def rates(pictures):
    return Rates((SMALL, Cell("vgg16", 16, "GPU")), 0.5, *pictures, "seeded")


def test_every_printed_cell_of_the_paper_is_in_a_table():
    cells = {*TABLE_4.cells, *TABLE_5.cells}
    printed = {row for table in (TABLE_4, TABLE_5) for row in table.printed}
    assert set(ITERATIONS) == {
        cell
        for cell in cells
        if cell.column != "cuDNN" and (cell.network, cell.size) in printed
    }
    assert len({cell.key for cell in cells}) == len(cells) == 15


def test_each_column_of_the_paper_is_one_rate():
    """Within the rounding of one decimal."""
    for values in ITERATIONS.values():
        rate = values[-1] / 5
        for minute, value in enumerate(values, 1):
            assert value == pytest.approx(rate * minute, abs=0.11)


def test_a_cell_is_measured(rates, tmp_path):
    shares = []
    cpu = rates.measure(SMALL, tmp_path, lambda share, words: shares.append(share))
    assert cpu.measured
    assert len(cpu.seconds) >= AT_LEAST
    assert sum(cpu.seconds) <= 0.5 + 2 * max(cpu.seconds)
    assert shares == sorted(shares)
    assert shares[-1] >= 1
    assert cpu.peak_memory_bytes > 50e6
    assert cpu.settings["weights"]["label"] == "seeded (untrained) weights"
    assert cpu.settings["protocol"]["name"] == "2016"
    assert cpu.settings["protocol"]["weight_gradients"]
    cpu.check()
    with Image.open(tmp_path / cpu.settings["picture"]) as image:
        assert image.text["Description"] == "seeded (untrained) weights"
    assert f"{cpu.rate:.1f} iterations/min" in rates.summary(cpu)


def test_a_cell_that_cannot_run_says_why(rates):
    missing = devices.obstacle(Device(0, cudnn=False))
    assert rates.obstacle(SMALL) is None
    assert rates.obstacle(rates.cells()[1]) == (missing and missing.reason)


def test_unusable_pictures_are_the_users_error(pictures, tmp_path):
    rates = Rates((SMALL,), 1, tmp_path / "none.png", pictures[1], "seeded")
    with pytest.raises(UserError, match=r"no such picture: .*none\.png"):
        rates.check()


def test_environment_names_no_host_or_user():
    import getpass
    import platform

    text = json.dumps(provenance.environment())
    for name in (platform.node(), getpass.getuser()):
        assert f'"{name}"' not in text
    found = provenance.environment()
    assert found["cores"] >= 1
    assert found["libraries"]["numpy"]
    assert found["blas"]
    assert "/" not in found["machine"]
