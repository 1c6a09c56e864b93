"""Threads that run a program together."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.engines.cpu.kernels.interpreter import LINE, execute
from chainer_style.engines.cpu.kernels.steps import Program


class Team:
    """Threads, each with a space of its own.

    The one that calls takes part; the others wait for it in the meantime, and end
    with the process.

    Parameters
    ----------
    threads
        How many, the one that calls included.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._go = [threading.Semaphore(0) for _ in range(threads - 1)]
        self._done = threading.Semaphore(0)
        self._job: tuple[Any, ...] = ()
        self._lock = threading.Lock()
        for number in range(1, threads):
            threading.Thread(
                target=self._help, args=(number,), daemon=True, name=f"cpu-{number}"
            ).start()

    def _help(self, number: int) -> None:
        while True:
            self._go[number - 1].acquire()
            execute(*self._job, number, self.threads)
            self._done.release()

    def run(self, program: Program, spaces: npt.NDArray[np.int64]) -> Program:
        """Run a program, and return the clock at each step's start and at the end."""
        # A line of memory per counter, so that threads do not take it from others.
        counters = np.zeros((len(program) + 2) * LINE, np.int64)
        ticks = np.zeros(len(program) + 1, np.int64)
        address = -(-counters.ctypes.data // (8 * LINE)) * 8 * LINE
        with self._lock:
            self._job = program, address, ticks, spaces
            for go in self._go:
                go.release()
            execute(*self._job, 0, self.threads)
            for _ in self._go:
                self._done.acquire()
        return ticks


@functools.cache
def team(threads: int) -> Team:
    """Return the team of so many threads: one serves all engines of a process."""
    return Team(threads)
