from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from tiny import BATCH, TINY

from chainer_style import provenance
from chainer_style.engines import devices
from chainer_style.errors import UserError
from chainer_style.experiments import catalogue, child, records, training
from chainer_style.experiments.training import (
    FEW_ITERATIONS,
    Training,
    TrainingCell,
    TrainingRecord,
)
from chainer_style.networks.benchmarks import BENCHMARKS
from chainer_style.trainers import FRAMEWORKS

CELL = TrainingCell("tiny", "chainer", "CPU")


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(BENCHMARKS, "tiny", TINY)
    monkeypatch.setitem(training.SMALL_BATCHES, "tiny", 2)
    return Training((CELL,))


def record_of(**other):
    settings = {
        "cell": TrainingCell("vgg_a", "chainer", "CPU"),
        "environment": provenance.environment(),
        "seconds": [9.0, 2.0, 3.0, 4.0],
        "forward": [3.0, 0.5, 1.0, 1.5],
        "backward": [6.0, 1.5, 2.0, 2.5],
        "batch": 4,
        "dropped": 1,
    }
    return TrainingRecord(**{**settings, **other})


def test_a_cell_is_trained_and_timed(tiny, tmp_path):
    shown = []
    record = tiny.measure(CELL, tmp_path, lambda *state: shown.append(state))
    assert record.measured
    assert record.batch == 2
    assert len(record.seconds) == len(record.forward) == FEW_ITERATIONS
    assert all(time > 0 for time in (*record.forward, *record.backward))
    for whole, there, back in zip(
        record.seconds, record.forward, record.backward, strict=True
    ):
        assert whole == there + back
    assert record.dropped == 1
    assert record.peak_memory_bytes > 10e6
    assert record.settings["framework"] == "Chainer"
    assert record.settings["version"] == "7.8.1"
    assert [share for share, _ in shown] == [0.25, 0.5, 0.75, 1]
    path = records.save(record, tmp_path)
    assert path.parent.name == "training"
    json.loads(path.read_text(), parse_constant=pytest.fail)  # no NaN, no Infinity
    assert records.load(path, catalogue.RECORDS) == dataclasses.replace(
        record, environment=json.loads(json.dumps(record.environment))
    )
    assert "ms per picture" in tiny.summary(record)


def test_the_whole_protocol_is_the_benchmarks(tiny):
    whole = Training((CELL,), full=True)
    assert (whole.batch(CELL), whole.iterations(CELL)) == (BATCH, 10)
    assert (tiny.batch(CELL), tiny.iterations(CELL)) == (2, FEW_ITERATIONS)
    on_gpu = dataclasses.replace(CELL, column="cuDNN")
    assert (tiny.batch(on_gpu), tiny.iterations(on_gpu)) == (BATCH, 10)


def test_what_is_trained_is_the_benchmarks_minibatch():
    pictures, labels = training.minibatch(BENCHMARKS["overfeat"], 2)
    assert pictures.shape == (2, 3, 231, 231)
    assert set(pictures.flat) == {33333}
    assert labels.tolist() == [1, 1]


def test_medians_leave_out_what_was_dropped():
    record = record_of()
    assert (record.median, record.forward_median, record.backward_median) == (3, 1, 2)
    assert record.per_picture == 0.75
    # A VGG-11 takes 6 × 7.61 GFLOP for a picture.
    assert record.flops_per_second == pytest.approx(4 * 45.65e9 / 3, rel=1e-3)


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        ({"seconds": []}, "lacks times"),
        ({"forward": [1.0]}, "forward or backward"),
        ({"backward": []}, "forward or backward"),
        ({"batch": 0}, "lacks the batch"),
    ],
)
def test_a_record_without_its_parts_is_refused(lacking, message, tmp_path):
    path = records.save(record_of(**lacking), tmp_path)
    with pytest.raises(UserError, match=message):
        records.load(path, catalogue.RECORDS)


def test_every_cell_of_table_1_has_its_own_name():
    cells = training.table1()
    assert len({cell.key for cell in cells}) == len(cells) == 4 * 7
    assert [cell.network for cell in cells[:4]] == list(BENCHMARKS)
    options = catalogue.Options(1, Path(), Path(), "seeded", full=True)
    (experiment,) = catalogue.experiments_of(["table1"], options)
    assert experiment == Training(cells, full=True)
    assert training.SMALL_BATCHES.keys() == BENCHMARKS.keys()


@pytest.mark.parametrize("name", ["tensorflow", "pytorch"])
def test_a_framework_that_is_not_installed_is_a_reason(name, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    cell = TrainingCell("vgg_a", name, "CPU")
    record = child.measure(Training((cell,)), cell, tmp_path, print)
    assert record.reason == f"{FRAMEWORKS[name].title} is not installed"
    loaded = records.load(records.save(record, tmp_path), catalogue.RECORDS)
    assert (loaded.cell, loaded.reason) == (cell, record.reason)


def test_a_framework_that_cannot_be_imported_is_a_reason(tmp_path, monkeypatch):
    broken = dataclasses.replace(FRAMEWORKS["pytorch"], name="none", title="None")
    monkeypatch.setitem(FRAMEWORKS, "none", broken)
    cell = TrainingCell("vgg_a", "none", "CPU")
    record = Training((cell,)).measure(cell, tmp_path, print)
    assert "None cannot be imported: No module named" in record.reason


@pytest.mark.skipif(
    devices.obstacle(training.device_of("GPU")) is None, reason="there is a GPU"
)
def test_a_device_that_is_missing_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda program: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda package: package)
    for name in FRAMEWORKS:
        cell = TrainingCell("vgg_a", name, "cuDNN")
        assert Training((cell,)).obstacle(cell) == "no CUDA device"


@pytest.mark.parametrize(
    "said",
    [
        "CUDA out of memory. Tried to allocate 20.00 MiB",
        "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes",
        "OOM when allocating tensor with shape[64,3]",
    ],
)
def test_running_out_of_memory_is_told_as_such(tiny, said, monkeypatch, tmp_path):
    def refuse(self):
        raise RuntimeError(said)

    monkeypatch.setattr(FRAMEWORKS["chainer"].trainer, "forward", refuse)
    with pytest.raises(MemoryError):
        tiny.measure(CELL, tmp_path, print)


def test_other_errors_stay_what_they_are(tiny, monkeypatch, tmp_path):
    def refuse(self):
        raise RuntimeError("no room at the inn")

    monkeypatch.setattr(FRAMEWORKS["chainer"].trainer, "forward", refuse)
    with pytest.raises(RuntimeError, match="inn"):
        tiny.measure(CELL, tmp_path, print)
