from __future__ import annotations

import json
import subprocess
import sys

import measuring
import pytest
import workers
from contenders import LEAN, Contender, OfThisPackage
from measuring import Cell, Settings

from chainer_style.experiments import ceilings
from chainer_style.report import contest


@pytest.mark.parametrize(
    ("one", "seconds", "expected"),
    [(0.1, 1.0, 11), (0.7, 1.0, 2), (1.0, 1.0, 1), (30.0, 1.0, 1), (1e-6, 1.0, 51)],
)
def test_length_of_a_turn(one, seconds, expected):
    assert measuring.length(one, seconds) == expected


@pytest.mark.parametrize(
    ("turn", "expected"), [(1.0, 9), (3.0, 9), (4.0, 6), (9.0, 3), (100.0, 3)]
)
def test_number_of_turns(turn, expected):
    assert measuring.count(turn, rounds=9, seconds=1.0) == expected


def test_fewer_rounds_than_the_fewest():
    assert measuring.count(100.0, rounds=2, seconds=1.0) == 2


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(workers, "PAUSE", 0.0)
    monkeypatch.setitem(ceilings.SIZES, "CPU", (32, 64))


def test_a_cell(quick, tmp_path):
    """Who computes something else is not timed, and the record can be read."""
    create = OfThisPackage("numpy")
    true = Contender("numpy", "NumPy", "own", LEAN, create)
    false = Contender(
        "false", "False", "chainer", LEAN.with_options(content_weight=0.1), create
    )
    absent = Contender(
        "absent", "Absent", "pytorch", LEAN, create, {}, "no_such_module"
    )
    cell = Cell("vgg16", 32, 1)
    settings = Settings(rounds=2, seconds=0.05, weights="seeded")
    content = measuring.measure(cell, [true, false, absent], settings, {})
    path = tmp_path / "record.json"
    environment = {"machine": "m"}
    head = {"format": 1, "ended": "now", "environment": environment}
    path.write_text(json.dumps({**head, **content}))
    found = contest.load(path)
    assert [entry.name for entry in found.measured] == ["numpy"]
    entry = found.entries["numpy"]
    assert len(entry.turns) == 2
    assert entry.gradient_deviation < 1e-5
    assert entry.peak_memory_bytes > 1 << 20
    assert found.flops_per_second(entry) > 1e6
    assert "loss is off by" in found.entries["false"].reason
    assert found.entries["absent"].reason == "no_such_module is not installed"
    assert content["settings"]["weights"]["label"] == "seeded (untrained) weights"


def test_a_picture_that_is_too_small(tmp_path):
    contender = Contender("numpy", "NumPy", "own", LEAN, OfThisPackage("numpy"))
    settings = Settings(rounds=1, seconds=0.1, weights="seeded")
    content = measuring.measure(Cell("nin", 64, 1), [contender], settings, {})
    assert "at least 67 pixels" in content["contenders"][0]["reason"]
    assert content["ceiling"] == []


@pytest.mark.slow
def test_the_script(scripts, tmp_path):
    words = ["--quick", "--networks", "nin", "--threads", "1", "--results", tmp_path]
    who = ["--contenders", "chainer-2016", "chainer", "numpy", "nobody"]
    run = subprocess.run(
        [sys.executable, scripts / "cpu.py", *words, *who],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "nobody: not measured, unknown engine" in run.stdout
    found = contest.load(tmp_path / "nin-128-1-thread.json")
    assert [entry.name for entry in found.measured] == who[1:4]
    assert contest.ratio(found.of_2016, found.entries["chainer"]) > 1


def test_the_script_refuses_an_unknown_network(scripts):
    command = [sys.executable, scripts / "cpu.py", "--networks", "nothing"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "nothing" in run.stderr
    assert "Traceback" not in run.stderr
