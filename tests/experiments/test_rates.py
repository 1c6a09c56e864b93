from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest
from PIL import Image

from chainer_style import added, files, provenance
from chainer_style.engines import devices
from chainer_style.engines.base import Device
from chainer_style.engines.cpu import compiled
from chainer_style.errors import UserError
from chainer_style.experiments import child, records, runner
from chainer_style.experiments.catalogue import RECORDS, Options, experiments_of
from chainer_style.experiments.rates import (
    AT_LEAST,
    COMPILING,
    Rates,
    compile_kernels,
)
from chainer_style.paper import ITERATIONS, RATE_TABLES, TABLE_4, TABLE_5, Cell

SMALL = Cell("vgg16", 16, "CPU")
OWN = Cell("vgg16", 16, "CPU", "cpu")


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
    # The last one was still to be done, for their number or for the time.
    assert len(cpu.seconds) == AT_LEAST or sum(cpu.seconds[:-1]) < 0.5
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


def test_a_cell_of_this_packages_engine(pictures, tmp_path):
    rates = Rates((SMALL, OWN), 0.2, *pictures, "seeded")
    assert rates.cells() == (SMALL, OWN)
    assert rates.obstacle(OWN) is None
    record = rates.measure(OWN, tmp_path, lambda *_: None)
    path = records.save(record, tmp_path)
    assert path.name == "vgg16-16-engine-cpu.json"
    again = records.load(path, RECORDS)
    assert again.cell == OWN
    assert again.settings["engine"] == "cpu"
    assert again.settings["threads"] == Device().cores
    assert again.settings["protocol"]["weight_gradients"]
    assert again.peak_memory_bytes > 50e6
    assert rates.title(OWN) == "VGG-16 16 px this package’s CPU engine"


def test_without_numba_the_record_says_so(pictures, tmp_path, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name != "numba" and there(name)
    )
    rates = Rates((SMALL, OWN), 0.2, *pictures, "seeded")
    assert rates.obstacle(SMALL) is None
    record = child.measure(rates, OWN, tmp_path, lambda *_: None)
    assert (record.cell, record.reason) == (OWN, "numba is not installed")


def test_what_compiling_takes(pictures, tmp_path, monkeypatch):
    """Time that is told beforehand, and memory of a process that has ended."""
    calls, said = [], []
    monkeypatch.setattr(subprocess, "run", lambda words, **_: calls.append(words))
    rates = Rates((SMALL, OWN), 0.2, *pictures, "seeded")
    monkeypatch.setenv(files.CACHE, str(tmp_path))
    monkeypatch.setattr(compiled, "folder", lambda: tmp_path / files.COMPILED)
    compiled.folder().mkdir()
    last = compiled.folder() / "execute-.py3.1.nbc"
    last.touch()
    assert rates.estimate(OWN) == rates.estimate(SMALL)
    compile_kernels(lambda _, words: said.append(words))
    assert calls == said == []
    last.unlink()
    compiled.folder().rmdir()
    assert rates.estimate(OWN) == rates.estimate(SMALL) + COMPILING
    compile_kernels(lambda _, words: said.append(words))
    ((python, option, code),) = calls
    assert (python, option) == (sys.executable, "-c")
    loaded = []
    monkeypatch.setattr(compiled, "load", lambda: loaded.append(True))
    exec(code)
    assert loaded == [True]
    assert said == ["compiling its kernels"]


def test_a_run_that_was_interrupted_goes_on_with_the_other_column(
    pictures, tmp_path, monkeypatch
):
    done = []

    def measure(experiment, cell, folder, progress):
        done.append(cell)
        return experiment.result(cell, reason="for the test")

    monkeypatch.setattr(child, "measure", measure)
    rates = Rates((SMALL, OWN), 0.2, *pictures, "seeded")
    run = runner.run([rates], tmp_path, quiet=True)
    assert next(run)[0].cell == SMALL
    run.close()
    found = [job.cell for job, _ in runner.run([rates], tmp_path, quiet=True)]
    assert found == done == [SMALL, OWN]


def test_a_record_of_before_the_engines_is_chainers(rates, tmp_path):
    path = records.save(rates.result(SMALL, reason="no time"), tmp_path)
    document = json.loads(path.read_text())
    assert document["cell"].pop("engine") == "chainer"
    path.write_text(json.dumps(document))
    assert records.load(path, RECORDS).cell == SMALL


def test_a_record_of_an_engine_without_a_column_is_refused(rates, tmp_path):
    path = records.save(rates.result(SMALL, reason="no time"), tmp_path)
    path.write_text(path.read_text().replace('"engine": "chainer"', '"engine": "x"'))
    with pytest.raises(UserError, match="no column has the engine 'x'"):
        records.load(path, RECORDS)


def test_tables_4_and_5_are_run_with_it(pictures):
    options = Options(1, *pictures, None)
    for number, table in RATE_TABLES.items():
        for part in (f"table{number}", f"figure{number + 3}"):
            rates, workspaces = experiments_of([part], options)
            assert rates.cells() == added.cells(table)
            assert not any(map(added.is_added, workspaces.cells()))


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
