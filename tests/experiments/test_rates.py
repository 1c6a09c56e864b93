from __future__ import annotations

import json

import pytest
from PIL import Image

from chainer_style import provenance
from chainer_style.engines import devices
from chainer_style.engines.base import Device
from chainer_style.errors import UserError
from chainer_style.experiments import measure, rates, records
from chainer_style.paper import ITERATIONS, TABLE_4, TABLE_5, Cell, RateTable

SMALL = RateTable(number=0, figure=0, title="small", rows=(("vgg16", 16),))


@pytest.fixture
def plan(pictures, tmp_path):
    return rates.Plan(0.5, *pictures, "seeded", tmp_path / "results", quiet=True)


def test_every_printed_cell_of_the_paper_is_in_a_table():
    cells = {*TABLE_4.cells, *TABLE_5.cells}
    assert set(ITERATIONS) == {cell for cell in cells if cell.column != "cuDNN"}
    assert len({cell.key for cell in cells}) == len(cells) == 12


def test_each_column_of_the_paper_is_one_rate():
    """Within the rounding of one decimal."""
    for values in ITERATIONS.values():
        rate = values[-1] / 5
        for minute, value in enumerate(values, 1):
            assert value == pytest.approx(rate * minute, abs=0.11)


def test_cells_are_measured_once_and_saved_at_once(plan):
    found = list(rates.run([SMALL, SMALL], plan))
    assert [record.cell.column for record in found] == ["CPU", "GPU", "cuDNN"]
    cpu = found[0]
    assert cpu.measured
    assert len(cpu.seconds) >= measure.AT_LEAST
    assert sum(cpu.seconds) <= 0.5 + 2 * max(cpu.seconds)
    assert cpu.peak_memory_bytes > 50e6
    assert cpu.settings["weights"]["label"] == "seeded (untrained) weights"
    assert cpu.settings["protocol"]["name"] == "2016"
    assert cpu.settings["protocol"]["weight_gradients"]
    if devices.obstacle(Device(0, cudnn=False)):
        assert [r.reason for r in found[1:]] == 2 * ["no CUDA device"]
    folder = plan.results / provenance.machine_name()
    assert next(iter(records.load_all(plan.results))).cell.network == "vgg16"
    with Image.open(folder / cpu.settings["picture"]) as image:
        assert image.text["Description"] == "seeded (untrained) weights"
    lines = list(rates.summary(found))
    assert f"{cpu.rate:.1f} iterations/min" in lines[0]


def test_unusable_pictures_are_the_users_error(plan, tmp_path):
    broken = rates.Plan(
        1, tmp_path / "none.png", plan.style, "seeded", plan.results, quiet=True
    )
    with pytest.raises(UserError, match=r"no such picture: .*none\.png"):
        list(rates.run([SMALL], broken))


def test_a_process_that_dies_is_a_record(plan, monkeypatch, tmp_path):
    """What became of it stays on paper; the run goes on."""
    task = measure.Task(
        Cell("vgg16", 16, "CPU"),
        60,
        plan.content,
        plan.style,
        "seeded",
        tmp_path / "p.png",
    )

    def kill(gone, iterations):
        import multiprocessing

        for child in multiprocessing.active_children():
            child.kill()

    record = measure.measure(task, kill)
    assert not record.measured
    assert "the process ended with code -9" in record.reason


def test_progress_tells_the_cell_and_the_time_left(plan, capsys):
    loud = rates.Plan(0.3, plan.content, plan.style, "seeded", plan.results)
    next(iter(rates.run([SMALL], loud)))
    shown = capsys.readouterr().err
    assert "[1/1] VGG-16 16 px CPU" in shown
    assert "iterations, " in shown
    assert "all done in" in shown


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
