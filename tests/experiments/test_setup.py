from __future__ import annotations

import dataclasses

import pytest

from chainer_style import doctor
from chainer_style.doctor import Finding
from chainer_style.errors import UserError
from chainer_style.experiments import records, setup
from chainer_style.experiments.catalogue import PARTS, RECORDS

FOUND = (
    Finding("Machine", "System", "CentOS 7.2.1511"),
    Finding("CUDA", "CuPy", "not installed", "optional", "a GPU", "pip install it"),
    Finding("Libraries", "NumPy", "gone", "missing", needed=True),
)


@pytest.fixture
def record(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "examine", lambda: list(FOUND))
    experiment = setup.Setup()
    (cell,) = experiment.cells()
    assert experiment.obstacle(cell) is None
    assert experiment.estimate(cell) < 60
    return experiment.measure(cell, tmp_path, lambda share, words: None)


def test_a_record_holds_every_finding(record, tmp_path):
    path = records.save(record, tmp_path)
    assert path == tmp_path / record.machine / "setup" / "machine.json"
    again = records.load(path, RECORDS)
    assert again == record
    assert again.findings == FOUND


def test_a_value_is_of_something_that_is_there(record):
    assert record.value("Machine", "System") == "CentOS 7.2.1511"
    assert record.value("CUDA", "CuPy") is None
    assert record.value("CUDA", "no such thing") is None


def test_summary(record):
    words = setup.Setup().summary(record)
    assert words == "1 of 3 things are there; missing: NumPy"


def test_a_record_without_findings_is_refused(record, tmp_path):
    path = records.save(dataclasses.replace(record, findings=()), tmp_path)
    with pytest.raises(UserError, match="it lacks findings"):
        records.load(path, RECORDS)


def test_both_tables_are_one_examination():
    assert PARTS["table2"](None) == PARTS["table3"](None) == [setup.Setup()]
