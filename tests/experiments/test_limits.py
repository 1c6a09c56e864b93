from __future__ import annotations

import sys

import pytest

from chainer_style import memory
from chainer_style.experiments import child, limits, records
from chainer_style.experiments.catalogue import RECORDS
from chainer_style.experiments.limits import GIB, LimitCell, LimitRecord, Limits

MIB = 2**20

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux limits a process's memory"
)


@pytest.fixture
def experiment(pictures):
    return Limits(*pictures, "seeded")


def measure(experiment, cell, folder):
    return child.measure(experiment, cell, folder, lambda *_: None)


@linux
@pytest.mark.parametrize("held", limits.VERSIONS)
def test_measured_is_what_was_predicted(experiment, tmp_path, held):
    """And what libraries load meanwhile, which is not predicted."""
    cell = LimitCell(128, held, None, "CPU")
    record = measure(experiment, cell, tmp_path)
    assert record.measured
    expected = limits.predicted(cell)
    assert expected * 0.98 < record.data_bytes < 1.05 * expected + 100 * MIB
    assert len(record.seconds) == limits.ITERATIONS
    path = records.save(record, tmp_path)
    assert records.load(path, RECORDS).data_bytes == record.data_bytes
    assert "ran, with" in experiment.summary(record)


@linux
def test_a_run_beyond_the_limit_is_a_record(experiment, tmp_path):
    """1.5 holds more than 1 GiB before it begins: the weights of the whole file."""
    cell = LimitCell(64, "1.5", 1, "CPU")
    record = measure(experiment, cell, tmp_path)
    assert record.measured
    assert record.failed == "out of memory at 1 GiB"
    assert record.peak_memory_bytes is None
    assert record.held_bytes < GIB
    assert record.held_bytes + record.asked_bytes > 0.98 * GIB
    path = records.save(record, tmp_path)
    assert records.load(path, RECORDS).failed == record.failed
    words = experiment.summary(record)
    assert words.startswith("failed: out of memory at 1 GiB after ")
    assert words.endswith(" MiB more")


def test_a_run_that_would_take_all_memory_is_not_tried(experiment, monkeypatch):
    cell = LimitCell(512, "1.5", None, "CPU")
    monkeypatch.setattr(memory, "available", lambda: 4 * GIB)
    assert experiment.obstacle(cell) == (
        f"it needs about {limits.predicted(cell) * 1.1 / GIB:.1f} GiB, of which "
        "4.0 GiB are available"
    )
    for there in (None, 8 * GIB):
        monkeypatch.setattr(memory, "available", lambda there=there: there)
        assert experiment.obstacle(cell) is None


def test_where_no_limit_can_be_set_the_record_says_so(experiment, monkeypatch):
    monkeypatch.setattr(memory, "address_space", lambda: 0)
    cell = LimitCell(256, "1.5", 2, "CPU")
    assert experiment.obstacle(cell) == "no limit can be set here"


def test_cells(experiment):
    keys = [cell.key for cell in experiment.cells()]
    assert len(set(keys)) == len(keys) == 2 * (4 + 4 + 4 + 2)
    assert "vgg16-512-chainer1.5-4gib-cpu" in keys
    assert "vgg16-256-chainer7.8.1-2gib-cpu" not in keys


@pytest.mark.parametrize("more", [{}, {"seconds": [1.0]}])
def test_a_record_without_peak_or_failure_is_refused(more):
    record = LimitRecord(
        cell=LimitCell(64, "1.5", None, "CPU"), environment={"machine": "x"}, **more
    )
    with pytest.raises(ValueError, match="it lacks"):
        record.check()


@pytest.mark.gpu
def test_on_a_gpu_the_pool_of_memory_is_limited(experiment, tmp_path):
    record = measure(experiment, LimitCell(64, "1.5", 1, "GPU"), tmp_path)
    assert record.failed == "out of memory at 1 GiB"
    assert record.held_bytes <= GIB
    ran = measure(experiment, LimitCell(64, "1.5", 2, "GPU"), tmp_path)
    assert GIB < ran.peak_memory_bytes <= 2 * GIB
