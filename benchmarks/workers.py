"""Processes that are set up once, and iterate when they are asked to.

One of them works at a time; the others wait for a message, which takes no processor.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

from chainer_style.experiments.child import ended

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from contenders import Contender

    from chainer_style.engines.base import Engine, Problem

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


@dataclass(frozen=True)
class Turn:
    """What a worker did when it was asked.

    Attributes
    ----------
    seconds
        Of every iteration.
    idle
        Processor seconds that its process took since its last turn.
    """

    seconds: Sequence[float]
    idle: float


@dataclass(frozen=True)
class Start:
    """What a worker says when it is set up.

    Attributes
    ----------
    loss, gradient
        At the picture to start from; None where they were not asked for.
    first_loss
        That its first iteration computed; None where there was none.
    set_up_seconds, first_seconds, last_seconds
        Of setting up, of all first iterations, and of the last of these.
    pools
        Libraries with threads, and how many each uses.
    """

    loss: float | None
    gradient: npt.NDArray[np.float32] | None
    first_loss: float | None
    set_up_seconds: float
    first_seconds: float
    last_seconds: float
    pools: list[dict[str, Any]]


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
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        protocol = _as_asked(contender, problem)
        posed = dataclasses.replace(problem, protocol=protocol)
        asked = _Asked(contender, posed, threads, check, first)
        self._process = context.Process(target=_work, args=(theirs, asked), daemon=True)
        own = {name: str(threads) for name in THREADS}
        with _environment({**own, **contender.variables, **(variables or {})}):
            self._process.start()
        theirs.close()
        self.start: Start = self._answer()

    def turn(self, iterations: int) -> Turn:
        """Let it iterate.

        Raises
        ------
        WorkerError
            If its process ended.
        """
        time.sleep(PAUSE)
        self._pipe.send(iterations)
        turn: Turn = self._answer()
        return turn

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


# -- in the worker's process ----------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """What a worker is started with; see `Worker`."""

    contender: Contender
    problem: Problem
    threads: int
    check: bool
    first: int


def _work(pipe: Connection, asked: _Asked) -> None:
    # Ctrl-C reaches all processes of a terminal; the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from chainer_style.errors import UserError

    try:
        _serve(pipe, asked)
    except EOFError:
        return
    except UserError as error:
        pipe.send(("failed", str(error)))
    except MemoryError:
        pipe.send(("failed", "out of memory"))
    except Exception as error:  # a peer's; the others go on
        lines = str(error).strip().splitlines() or [""]
        pipe.send(("failed", f"{type(error).__name__}: {lines[0]}"))


def _serve(pipe: Connection, asked: _Asked) -> None:
    from chainer_style import memory

    started = time.perf_counter()
    loop = asked.contender.create(asked.problem, asked.threads)
    set_up = time.perf_counter() - started
    pipe.send(("start", _start(loop, asked, set_up)))
    before = time.process_time()
    while (iterations := pipe.recv()) is not None:
        if not iterations:
            pipe.send(("peak", memory.peak()))
            continue
        idle = time.process_time() - before
        seconds = [_timed(loop) for _ in range(iterations)]
        before = time.process_time()
        pipe.send(("turn", Turn(seconds, idle)))


def _start(loop: Engine, asked: _Asked, set_up: float) -> Start:
    """Check, iterate for the first times, and tell."""
    loss = gradient = first_loss = None
    if asked.check:
        losses, gradient = loop.evaluate(asked.problem.start)
        loss = losses.total
    seconds = [0.0]
    for number in range(asked.first):
        started = time.perf_counter()
        read = loop.step()
        loop.synchronize()
        seconds.append(time.perf_counter() - started)
        if number == 0:
            first_loss = read().total
    return Start(
        loss, gradient, first_loss, set_up, sum(seconds), seconds[-1], _pools()
    )


def _timed(loop: Engine) -> float:
    """Return the seconds of an iteration."""
    started = time.perf_counter()
    loop.step()
    loop.synchronize()
    return time.perf_counter() - started


def _pools() -> list[dict[str, Any]]:
    """Describe the libraries with threads that are loaded."""
    from threadpoolctl import threadpool_info

    keys = ("user_api", "internal_api", "version", "architecture", "num_threads")
    pools = [{key: pool.get(key) for key in keys} for pool in threadpool_info()]
    return sorted(pools, key=str)
