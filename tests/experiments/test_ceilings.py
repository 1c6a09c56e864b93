from __future__ import annotations

import dataclasses

import pytest

from chainer_style import provenance
from chainer_style.engines import devices
from chainer_style.engines.base import Device
from chainer_style.errors import UserError
from chainer_style.experiments import ceilings, records, streams
from chainer_style.experiments.catalogue import PARTS, RECORDS
from chainer_style.experiments.ceilings import Ceiling, Run


@pytest.fixture
def measured(monkeypatch, tmp_path):
    monkeypatch.setitem(ceilings.SIZES, "CPU", (16, 96))
    monkeypatch.setattr(streams, "length", lambda *bytes_of: 50_000)
    seen = []
    experiment = ceilings.Ceilings(seconds=0.02)
    record = experiment.measure(
        Ceiling("CPU"), tmp_path, lambda *state: seen.append(state)
    )
    return record, seen


def test_cells():
    experiment = ceilings.Ceilings()
    keys = [cell.key for cell in experiment.cells()]
    assert keys == ["cpu-one-thread", "cpu", "gpu"]
    titles = [experiment.title(cell) for cell in experiment.cells()]
    assert titles[0] == "Ceilings, CPU, one thread"
    # As long as the issue of all experiments together allows.
    assert sum(map(experiment.estimate, experiment.cells())) < 20
    assert PARTS["ceilings"](None) == [experiment]


def test_a_gpu_that_is_not_there_is_an_obstacle():
    experiment = ceilings.Ceilings()
    assert experiment.obstacle(Ceiling("CPU")) is None
    missing = devices.obstacle(Device(0, cudnn=False))
    reason = missing.reason if missing else None
    assert experiment.obstacle(Ceiling("GPU")) == reason


def test_every_size_and_stream_is_measured(measured, tmp_path):
    record, seen = measured
    kinds = [(run.kind, run.size, run.work) for run in record.runs]
    assert kinds == [
        ("product", 16, 2 * 16**3),
        ("product", 96, 2 * 96**3),
        ("copy", 50_000, 2 * 4 * 50_000),
        ("triad", 50_000, 3 * 4 * 50_000),
    ]
    for run in record.runs:
        least, most = ceilings.AT_LEAST, ceilings.AT_MOST
        assert least <= len(run.kept) <= most
        assert run.best >= run.rate > 0
    assert record.settings["threads"] == provenance.cores()
    assert [share for share, _ in seen] == [0, 0.25, 0.5, 0.75]
    path = records.save(record, tmp_path)
    assert records.load(path, RECORDS) == record


def test_one_thread(monkeypatch, tmp_path):
    monkeypatch.setitem(ceilings.SIZES, "CPU", (16,))
    monkeypatch.setattr(streams, "length", lambda *bytes_of: 1000)
    experiment = ceilings.Ceilings(seconds=0.001)
    record = experiment.measure(Ceiling("CPU", "one"), tmp_path, lambda *state: None)
    assert record.settings["threads"] == 1


RUNS = (
    Run("product", 10, 2000, (9.0, 2.0, 1.0, 4.0)),
    Run("product", 20, 16000, (90.0, 20.0, 20.0, 4.0)),
    Run("copy", 100, 800, (1.0, 2.0, 8.0, 4.0)),
    Run("triad", 100, 1200, (1.0, 4.0, 4.0, 4.0)),
)


@pytest.fixture
def record():
    return ceilings.Ceilings().result(Ceiling("CPU"), runs=RUNS)


def test_the_first_time_is_dropped_and_the_fastest_counts(record):
    assert RUNS[0].rate == 1000  # 2000 over the median of 2, 1, 4
    assert RUNS[0].best == 2000
    assert record.flops_per_second == 4000
    assert record.bytes_per_second == 400
    assert record.ridge == 10
    assert ceilings.Ceilings().summary(record).split() == [
        "0.0",
        "GFLOP/s,",
        "0.0",
        "GB/s",
    ]


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ((), "lacks matrix products or streams"),
        (RUNS[:2], "lacks matrix products or streams"),
        (RUNS[2:], "lacks matrix products or streams"),
        ((*RUNS, Run("copy", 9, 9, (1.0,))), "lacks times"),
        ((*RUNS, Run("copy", 9, 9, (1.0, 0.0))), "lacks times"),
    ],
)
def test_a_record_that_lacks_something_is_refused(record, runs, message, tmp_path):
    path = records.save(dataclasses.replace(record, runs=runs), tmp_path)
    with pytest.raises(UserError, match=message):
        records.load(path, RECORDS)
