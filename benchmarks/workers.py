"""Processes that are set up once, and iterate when they are asked to.

One of them works at a time; the others wait for a message, which takes no processor.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import serving
from serving import Asked, Start, Turn

from chainer_style.experiments.child import ended

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from contenders import Contender

    from chainer_style.engines.base import Problem

FIRST = 2
"""Iterations before anything is timed."""

PAUSE = 0.2
"""Seconds before a turn, in which threads of the last one fall asleep: OpenBLAS' wait
actively for 0.1 s, OpenMP's for a hundredth of one."""

PATIENCE = 10
"""Seconds that a process has to end by itself."""

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""Variables by which libraries are told how many threads to use."""


class WorkerError(Exception):
    """A worker cannot go on; says why."""


class Worker:
    """A contender in a process of its own.

    Parameters
    ----------
    contender
        Who.
    problem
        What to optimise; its protocol is replaced by the contender's.
    threads
        How many it may use.
    variables
        More of its environment.
    check
        Whether to compute loss and gradient at the start.
    first
        Iterations before anything is timed: they compile, and fill caches and pools.
    whole
        Whether a turn is timed as a whole, and nothing waits for the device within.
    waits
        Whether it only imports what it needs, until `set_up` is called.

    Raises
    ------
    WorkerError
        If it cannot be set up.
    """

    def __init__(
        self,
        contender: Contender,
        problem: Problem,
        threads: int,
        variables: Mapping[str, str] | None = None,
        *,
        check: bool = True,
        first: int = FIRST,
        whole: bool = False,
        waits: bool = False,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        protocol = _as_asked(contender, problem)
        posed = dataclasses.replace(problem, protocol=protocol)
        asked = Asked(contender, posed, threads, check, first, whole, waits)
        self._process = context.Process(
            target=serving.work, args=(theirs, asked), daemon=True
        )
        own = {name: str(threads) for name in THREADS}
        with _environment({**own, **contender.variables, **(variables or {})}):
            self._process.start()
        theirs.close()
        self._whole = whole
        self.start: Start
        if not waits:
            self.start = self._answer()

    @property
    def pid(self) -> int:
        """Number of its process."""
        assert self._process.pid
        return self._process.pid

    def ready(self) -> None:
        """Wait until it has imported what it needs.

        Raises
        ------
        WorkerError
            If it could not.
        """
        self._answer()

    def begin(self) -> None:
        """Let it set up what it has to iterate."""
        self._pipe.send("go")

    def set_up(self) -> Start:
        """Let it set up what it has to iterate, and wait for that.

        Raises
        ------
        WorkerError
            If it cannot be set up.
        """
        self.begin()
        return self.wait()

    def wait(self) -> Start:
        """Wait until it is set up.

        Raises
        ------
        WorkerError
            If it cannot be set up.
        """
        self.start = self._answer()
        return self.start

    def turn(self, iterations: int) -> Turn:
        """Let it iterate.

        Raises
        ------
        WorkerError
            If its process ended.
        """
        if not self._whole:
            time.sleep(PAUSE)
        self._pipe.send(iterations)
        turn: Turn = self._answer()
        return turn

    def evaluate(self) -> tuple[float, npt.NDArray[np.float32]]:
        """Return loss and gradient at the picture to start from.

        Raises
        ------
        WorkerError
            If its process ended, or could not tell.
        """
        self._pipe.send("evaluate")
        loss, gradient = self._answer()
        return loss, gradient

    def peak(self) -> int:
        """Return the most bytes of memory that its process held so far."""
        self._pipe.send(0)
        return int(self._answer())

    def close(self) -> None:
        """End its process."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join(PATIENCE)
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def _answer(self) -> Any:
        try:
            kind, content = self._pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            raise WorkerError(ended(self._process.exitcode)) from None
        if kind == "failed":
            self.close()
            raise WorkerError(content)
        return content


def _as_asked(contender: Contender, problem: Problem) -> Any:
    """Return the contender's protocol with the network and size of the problem."""
    asked = problem.protocol
    return contender.protocol.with_options(model=asked.model, width=asked.width)


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Iterating(Protocol):
    """Whoever can be asked to iterate."""

    def turn(self, iterations: int) -> Turn:
        """Do so many iterations."""
        ...


def interleaved(
    workers: Mapping[str, Iterating],
    turns: Mapping[str, int],
    lengths: Mapping[str, int],
) -> tuple[dict[str, list[Turn]], dict[str, str]]:
    """Let everyone have a turn, again and again.

    Parameters
    ----------
    workers
        By name, in order.
    turns
        How many each has; who has fewer stops earlier.
    lengths
        Iterations of each one's turn.

    Returns
    -------
    found
        Everyone's turns.
    failed
        Who could not go on, and why.
    """
    found: dict[str, list[Turn]] = {name: [] for name in workers}
    failed: dict[str, str] = {}
    for number in range(max(turns.values(), default=0)):
        for name, worker in workers.items():
            if number < turns[name] and name not in failed:
                try:
                    found[name].append(worker.turn(lengths[name]))
                except WorkerError as error:
                    failed[name] = str(error)
    return found, failed
