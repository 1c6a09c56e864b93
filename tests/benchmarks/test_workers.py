from __future__ import annotations

import os
import signal

import contenders
import numpy as np
import pytest
import workers
from contenders import LEAN, Contender, OfThisPackage
from workers import Turn, Worker, WorkerError

from chainer_style.engines.base import Device
from chainer_style.engines.define_by_run import ChainerEngine

VARIABLE = "CHAINER_STYLE_BENCHMARK_TEST"


class Fake:
    """Notes when it is asked, and fails at a given turn."""

    def __init__(self, name, log, fails_at=None):
        self.name, self.log, self.fails_at = name, log, fails_at

    def turn(self, iterations):
        self.log.append(self.name)
        if self.log.count(self.name) == self.fails_at:
            raise WorkerError("gone")
        return Turn([0.1] * iterations, 0.0)


def test_everyone_has_a_turn_again_and_again():
    log = []
    fakes = {name: Fake(name, log) for name in "abc"}
    turns = {"a": 3, "b": 1, "c": 2}
    found, failed = workers.interleaved(fakes, turns, {"a": 1, "b": 2, "c": 4})
    assert log == ["a", "b", "c", "a", "c", "a"]
    assert [len(turn.seconds) for turn in found["c"]] == [4, 4]
    assert {name: len(own) for name, own in found.items()} == turns
    assert failed == {}


def test_who_fails_is_left_out_and_the_others_go_on():
    log = []
    fakes = {"a": Fake("a", log, fails_at=2), "b": Fake("b", log)}
    found, failed = workers.interleaved(fakes, {"a": 4, "b": 4}, {"a": 1, "b": 1})
    assert log == ["a", "b", "a", "b", "b", "b"]
    assert failed == {"a": "gone"}
    assert len(found["a"]) == 1
    assert len(found["b"]) == 4


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(workers, "PAUSE", 0.0)


@pytest.fixture
def numpy_engine():
    create = OfThisPackage("numpy")
    return Contender("numpy", "NumPy", "own", LEAN, create, {VARIABLE: "7"})


def test_a_process_that_iterates_when_asked(quick, posed, numpy_engine):
    problem = posed("vgg16", 16)
    worker = Worker(numpy_engine, problem, 1)
    try:
        start = worker.start
        losses, gradient = ChainerEngine(problem, Device(), "float64").evaluate(
            problem.start
        )
        assert start.loss == pytest.approx(losses.total, rel=1e-5)
        assert start.first_loss == pytest.approx(losses.total, rel=1e-5)
        np.testing.assert_allclose(start.gradient, gradient, rtol=0.01, atol=1e-5)
        assert 0 < start.last_seconds < start.first_seconds
        assert {pool["num_threads"] for pool in start.pools} == {1}
        assert VARIABLE not in os.environ
        turn = worker.turn(4)
        assert len(turn.seconds) == 4
        assert all(seconds > 0 for seconds in turn.seconds)
        assert worker.turn(1).idle < 0.2
        assert worker.peak() > 1 << 20
        os.kill(worker._process.pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match="SIGKILL"):
            worker.turn(1)
    finally:
        worker.close()
    assert not worker._process.is_alive()


def test_who_cannot_be_set_up_says_why(posed):
    (nobody,) = contenders.chosen(["nobody"])
    assert "unknown engine 'nobody'" in nobody.obstacle()
    with pytest.raises(WorkerError, match="unknown engine 'nobody'"):
        Worker(nobody, posed("vgg16", 16), 1)


def test_contenders_by_name():
    peer, own = contenders.chosen(["chainer-2016", "numpy", "numpy"])
    assert (peer.family, own.family) == ("chainer", "own")
    assert peer.protocol.weight_gradients
    assert not own.protocol.weight_gradients
    assert own.obstacle() is None
    missing = Contender("x", "X", "pytorch", LEAN, OfThisPackage("x"), {}, "no_such_x")
    assert missing.obstacle() == "no_such_x is not installed"
