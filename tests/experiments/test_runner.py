from __future__ import annotations

import pytest
from experiments.toy import Toy, ToyCell, ToyRecord

from chainer_style import provenance
from chainer_style.errors import UserError
from chainer_style.experiments import child, journal, records, runner


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setitem(runner.RECORDS, "toy", ToyRecord)


@pytest.fixture
def own(tmp_path):
    """The machine's folder."""
    return tmp_path / provenance.machine_name()


def calls(own):
    return (own / "toy" / "calls").read_text().split()


def test_every_cell_leaves_a_record_at_once(tmp_path, own):
    found = []
    for job, record in runner.run([Toy(("one", "elsewhere"))], tmp_path, quiet=True):
        saved = records.load(own / job.path, runner.RECORDS)
        assert saved.as_document() | {"seconds": [*record.seconds]} == (
            record.as_document() | {"seconds": [*record.seconds]}
        )
        assert (own / journal.NAME).exists()
        found.append((job.title, record.reason))
    assert found == [
        ("the cell one", None),
        ("the cell elsewhere", "not on this machine"),
    ]
    assert not (own / journal.NAME).exists()


def test_a_cell_of_two_experiments_is_measured_once(tmp_path, own):
    both = [Toy(("one", "two")), Toy(("two", "three"))]
    assert [job.cell.name for job, _ in runner.run(both, tmp_path, quiet=True)] == [
        "one",
        "two",
        "three",
    ]
    assert calls(own) == ["one", "two", "three"]


def interrupt(toy, tmp_path, after=1):
    run = runner.run([toy], tmp_path, quiet=True)
    for _ in range(after):
        next(run)
    run.close()


def test_an_interrupted_run_goes_on(tmp_path, own):
    toy = Toy(("one", "two", "three"))
    interrupt(toy, tmp_path, after=2)
    found = list(runner.run([toy], tmp_path, quiet=True))
    assert calls(own) == ["one", "two", "three"]
    assert [record.median for _, record in found] == [1.0] * 3
    # The next one begins anew.
    list(runner.run([toy], tmp_path, quiet=True))
    assert calls(own) == ["one", "two", "three"] * 2


def test_a_run_interrupted_twice_goes_on(tmp_path, own):
    toy = Toy(("one", "two", "three"))
    interrupt(toy, tmp_path)
    interrupt(toy, tmp_path, after=2)
    list(runner.run([toy], tmp_path, quiet=True))
    assert calls(own) == ["one", "two", "three"]


@pytest.mark.parametrize("other", ["options", "cells", "afresh", "damaged"])
def test_what_another_run_left_is_not_taken_over(tmp_path, own, other):
    interrupt(Toy(("one", "two")), tmp_path)
    if other == "damaged":
        (own / "toy" / "one.json").write_text('{"format": 2')
    toy = Toy(
        ("one", "two", *(["three"] if other == "cells" else [])),
        option=int(other == "options"),
    )
    list(runner.run([toy], tmp_path, quiet=True, afresh=other == "afresh"))
    assert calls(own)[:3] == ["one", "one", "two"]


def test_options_are_checked_before_anything_is_there(tmp_path):
    with pytest.raises(UserError, match="0 or more"):
        list(runner.run([Toy(("one",), option=-1)], tmp_path / "new", quiet=True))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("too large", "out of memory"),
        ("killed", "the process was ended by SIGKILL"),
        ("exits", "the process ended with code 3"),
    ],
)
def test_a_cell_that_fails_is_a_record(tmp_path, name, reason):
    record = child.measure(Toy(()), ToyCell(name), tmp_path, lambda *_: None)
    assert record.reason == reason
    assert record.cell == ToyCell(name)


def test_what_the_user_gave_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="no such thing"):
        child.measure(Toy(()), ToyCell("refused"), tmp_path, lambda *_: None)


def test_bars_tell_the_cell_and_the_time_left(tmp_path, capsys):
    list(runner.run([Toy(("one", "elsewhere", "two"))], tmp_path))
    shown = capsys.readouterr().err
    assert "[1/2] the cell one" in shown
    assert "setting up, all done in 00:20" in shown
    assert "half way, all done in 00:05" in shown
    assert "[2/2] the cell two" in shown
    assert "elsewhere" not in shown
