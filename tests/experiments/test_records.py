from __future__ import annotations

import dataclasses
import json

import pytest

from chainer_style.errors import UserError
from chainer_style.experiments import records
from chainer_style.experiments.catalogue import RECORDS
from chainer_style.experiments.rates import SETTINGS, RateRecord
from chainer_style.paper import Cell

CELL = Cell("vgg16", 128, "CPU")
WHOLE = dict.fromkeys(SETTINGS, 0) | {"weights": {"label": "seeded"}}


def record(seconds, dropped=1):
    return RateRecord(
        cell=CELL,
        environment={"machine": "a-machine"},
        seconds=seconds,
        dropped=dropped,
        settings=WHOLE,
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
    assert paths[0] == tmp_path / "a-machine" / "rates" / "vgg16-128-cpu.json"
    assert {p: records.load(p, RECORDS) for p in records.paths(tmp_path)} == {
        paths[0]: one,
        paths[1]: two,
    }


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "Expecting value"),
        ("[]", "is not a record"),
        ("null", "is not a record"),
        ("{}", "format"),
        ('{"format": 2}', "no experiment has the name ''"),
        ('{"format": 2, "experiment": "x"}', "no experiment has the name 'x'"),
        ('{"format": 2, "experiment": "rates", "cell": {}}', "missing 3 required"),
        ('{"format": 1, "cell": {}}', "older record, of format 1; measure it again"),
        ('{"format": 3, "experiment": "rates"}', "format 3.*reads format 2: update"),
        ('{"format": "new", "experiment": "rates"}', "is not a record"),
    ],
)
def test_what_is_no_record_is_named(tmp_path, text, what):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"x\.json .*{what}") as caught:
        records.load(path, RECORDS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["settings"].pop("weights"), "it lacks weights"),
        (lambda d: d["settings"]["weights"].pop("label"), "the label of its weights"),
        (lambda d: d["settings"].pop("seed"), "it lacks seed"),
        (lambda d: d.update(seconds=[1.0], dropped=1), "it lacks times"),
        (lambda d: d["cell"].update(network="vgg99"), "unknown model 'vgg99'"),
        (lambda d: d.update(more=1), "unexpected keyword argument 'more'"),
    ],
)
def test_incomplete_records_are_refused(tmp_path, change, message):
    path = records.save(record([1.0, 1.0]), tmp_path)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match=message):
        records.load(path, RECORDS)
