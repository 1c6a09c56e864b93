"""Threads that run a program together."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.engines.cpu.kernels.interpreter import LINE, execute, places
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
        self._job: tuple[Any, ...] = ()
        self._bell = np.zeros(2 * LINE // 8, np.int64)
        self._run = 0
        self._lock = threading.Lock()
        for number in range(1, threads):
            threading.Thread(
                target=self._help, args=(number,), daemon=True, name=f"cpu-{number}"
            ).start()

    def _help(self, number: int) -> None:
        while True:
            self._go[number - 1].acquire()
            # Who comes late finds all units taken, or the next program.
            execute(*self._job, number)

    def run(
        self, program: Program, spaces: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Run a program, and return what `interpreter.execute` wrote of its clock.

        It returns when all is done, whether all threads know it or not.
        """
        lines = (len(spaces) + 1) * len(program) + 1
        counters = np.zeros(lines * LINE, np.uint8)
        ticks = np.zeros(len(program) + 1, np.int64)
        busy = np.zeros((len(spaces), len(program)), np.int64)
        with self._lock:
            self._run += 1
            job = program, counters, ticks, busy, places, spaces, self._bell, self._run
            self._job = job
            for go in self._go:
                go.release()
            execute(*job, 0)
        return ticks, busy


@functools.cache
def team(threads: int) -> Team:
    """Return the team of so many threads: one serves all engines of a process."""
    return Team(threads)
