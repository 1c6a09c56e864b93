from __future__ import annotations

import dataclasses
import json

import pytest

from chainer_style.errors import UserError
from chainer_style.experiments import records
from chainer_style.experiments.records import Record
from chainer_style.paper import Cell

CELL = Cell("vgg16", 128, "CPU")
ENVIRONMENT = {"machine": "a-machine"}


def record(seconds, dropped=1):
    return Record(
        CELL, ENVIRONMENT, "2026-01-01T00:00:00+00:00", None, seconds, dropped
    )


def test_median_spread_and_rate_leave_out_the_first():
    found = record([9.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.median == 3.0
    assert found.rate == 20.0
    assert found.spread == pytest.approx((1.4, 4.6))


def test_one_iteration_has_no_spread():
    assert record([9.0, 2.0]).spread == (2.0, 2.0)


def test_minutes_that_ran_are_counted_from_the_first_iteration():
    found = record([30.0] + [7.0] * 20)  # 170 seconds in all
    # 30 + 4 × 7 = 58; 30 + 12 × 7 = 114
    assert found.iterations_after(1) == (5, True)
    assert found.iterations_after(2) == (13, True)
    value, counted = found.iterations_after(3)
    assert not counted
    assert value == pytest.approx(3 * 60 / 7)


def test_a_short_run_is_extrapolated_and_says_so():
    assert record([1.0, 0.5, 0.5]).iterations_after(5) == (600.0, False)


def test_there_and_back(tmp_path):
    one = record([3.0, 2.0, 2.5])
    two = dataclasses.replace(
        one, cell=Cell("nin", 128, "GPU"), reason="no CUDA device", seconds=[]
    )
    paths = [records.save(r, tmp_path) for r in (one, two)]
    assert paths[0] == tmp_path / "a-machine" / "vgg16-128-cpu.json"
    assert {r.cell: r for r in records.load_all(tmp_path)} == {
        one.cell: one,
        two.cell: two,
    }


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "cell": {}}', "null"])
def test_no_record(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"x\.json is not a record"):
        records.load(path)


def test_a_record_of_the_future(tmp_path):
    path = records.save(record([1.0, 1.0]), tmp_path)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "format": 2}))
    with pytest.raises(UserError, match=r"format 2.*update"):
        records.load(path)
