"""Iterations come in windows: rates go at once, losses come back later."""

from __future__ import annotations

import numpy as np
import pytest

from chainer_style.engines.cuda import windows
from chainer_style.engines.cuda.windows import AHEAD, Windows


class Device:
    """Counts what it is asked for; its losses are its number of iterations."""

    def __init__(self):
        self.rates, self.counter, self.copies, self.waited = None, None, 0, 0
        self.rows = np.zeros((64, 2), np.float32)
        self.total = 0

    def write(self, address, array):
        if address == "rates":
            self.rates = array
        else:
            self.counter = int(array[0])

    def later(self, address, shape, dtype):
        self.copies += 1
        copy = self.rows[: shape[0]].copy()

        def wait():
            self.waited += 1
            return copy

        return wait

    def iterate(self):
        self.counter += 1
        self.rows[self.counter] = self.total, self.rates[self.counter]
        self.total += 1


@pytest.fixture
def device(monkeypatch):
    monkeypatch.setattr(windows, "LENGTH", 4)
    return Device()


ADDRESSES = {"rates": "rates", "counter": "counter", "losses": "losses"}


def start(device):
    asked = Windows(device, ADDRESSES, 2)
    begun = []

    def rates(count):
        begun.append(device.total)
        return np.arange(device.total, device.total + count, dtype=np.float32)

    def step():
        window, place = asked.next(rates)
        device.iterate()
        asked.done()
        return lambda: window.row(place)

    return asked, step, begun


def test_rates_go_a_window_at_a_time(device):
    _, step, begun = start(device)
    for _ in range(9):
        step()
    assert begun == [0, 4, 8]


def test_losses_are_copied_when_a_window_is_full(device):
    _, step, _ = start(device)
    readers = [step() for _ in range(9)]
    assert device.copies == 2
    assert [read() for read in readers[:8]] == [[i, i] for i in range(8)]
    assert device.copies == 2
    assert readers[8]() == [8, 8]
    assert device.copies == 3
    step()
    assert readers[8]() == [8, 8]
    assert device.copies == 3


def test_one_does_not_run_ahead_for_ever(device):
    _, step, _ = start(device)
    for _ in range(4 * AHEAD):
        step()
    assert not device.waited
    step()
    assert device.waited == 1


def test_what_comes_in_between_begins_another_window(device):
    asked, step, begun = start(device)
    first = step()
    asked.close()
    device.counter = 17  # whatever else was done
    second = step()
    assert begun == [0, 1]
    assert (first(), second()) == ([0, 0], [1, 1])
    asked.close()
    asked.close()
