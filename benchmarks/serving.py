"""What goes on in the process of a `workers.Worker`."""

from __future__ import annotations

import importlib
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from contenders import Contender

    from chainer_style.engines.base import Engine, Problem

UNTIMED = 5
"""Of a turn that is timed as a whole, one iteration in so many goes before: a card that
waited is slow at first."""


@dataclass(frozen=True)
class Turn:
    """What a worker did when it was asked.

    Attributes
    ----------
    seconds
        Of every iteration, or of all of them where only the whole turn was timed.
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


@dataclass(frozen=True)
class Asked:
    """What a worker is started with; see `Worker`."""

    contender: Contender
    problem: Problem
    threads: int
    check: bool
    first: int
    whole: bool
    waits: bool


def work(pipe: Connection, asked: Asked) -> None:
    """Do what is asked for through a pipe, until it is closed or says None."""
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


def _serve(pipe: Connection, asked: Asked) -> None:
    from chainer_style import memory

    if asked.waits:
        for module in asked.contender.modules:
            importlib.import_module(module)
        pipe.send(("ready", None))
        if pipe.recv() is None:
            return
    started = time.perf_counter()
    loop = asked.contender.create(asked.problem, asked.threads)
    set_up = time.perf_counter() - started
    pipe.send(("start", _start(loop, asked, set_up)))
    before = time.process_time()
    while (iterations := pipe.recv()) is not None:
        if iterations == "evaluate":
            losses, gradient = loop.evaluate(asked.problem.start)
            pipe.send(("evaluated", (losses.total, gradient)))
            continue
        if not iterations:
            pipe.send(("peak", memory.peak()))
            continue
        idle = time.process_time() - before
        if asked.whole:
            seconds = [_timed_whole(loop, iterations)]
        else:
            seconds = [_timed(loop) for _ in range(iterations)]
        before = time.process_time()
        pipe.send(("turn", Turn(seconds, idle)))


def _start(loop: Engine, asked: Asked, set_up: float) -> Start:
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


def _timed_whole(loop: Engine, iterations: int) -> float:
    """Return the seconds of some iterations, none of which is waited for."""
    for _ in range(iterations // UNTIMED + 1):
        loop.step()
    loop.synchronize()
    started = time.perf_counter()
    for _ in range(iterations):
        loop.step()
    loop.synchronize()
    return time.perf_counter() - started


def _pools() -> list[dict[str, Any]]:
    """Describe the libraries with threads that are loaded."""
    from threadpoolctl import threadpool_info

    keys = ("user_api", "internal_api", "version", "architecture", "num_threads")
    pools = [{key: pool.get(key) for key in keys} for pool in threadpool_info()]
    return sorted(pools, key=str)
