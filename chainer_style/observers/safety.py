"""Observers that end a run early: on Ctrl-C, or when it has gone astray."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from chainer_style.errors import UserError
from chainer_style.transfer import Iterate


@contextmanager
def interruptible(
    iterates: Iterable[Iterate], agree: Callable[[bool], bool] = bool
) -> Iterator[Iterator[Iterate]]:
    """Let iterates end after the one during which Ctrl-C or SIGTERM came.

    Where several ranks iterate, `agree` tells whether all of them want to go on.

    The picture is then whole. A second Ctrl-C interrupts at once. Outside the main
    thread, where Python takes no signals, the iterates pass unchanged.

    A context, not a generator alone: one that is left in the middle lives until it
    is collected, in whatever thread, and would leave its handlers behind.
    """
    if threading.current_thread() is not threading.main_thread():
        yield iter(iterates)
        return
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, ask) for number in signals}
    try:
        yield _until(asked, iterates, agree)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _until(
    asked: threading.Event,
    iterates: Iterable[Iterate],
    agree: Callable[[bool], bool],
) -> Iterator[Iterate]:
    for iterate in iterates:
        yield iterate
        if not agree(not asked.is_set()):
            return


def finite(iterates: Iterable[Iterate], every: int = 1) -> Iterator[Iterate]:
    """Pass the iterates on while the loss is a finite number.

    Parameters
    ----------
    iterates
        The loop.
    every
        Iterations after which all losses since are looked at, which waits for an
        engine that runs ahead.

    Raises
    ------
    UserError
        When it no longer is.
    """
    waiting: list[Iterate] = []
    for iterate in iterates:
        waiting.append(iterate)
        if iterate.index % every == 0:
            _check(waiting)
        yield iterate
    _check(waiting)


def _check(iterates: list[Iterate]) -> None:
    """Look at the losses of iterates, and forget them."""
    for iterate in iterates:
        if not iterate.losses.is_finite:
            raise UserError(
                f"the loss is no longer a finite number at iteration {iterate.index}; "
                "try a smaller --lr, or other weights"
            )
    iterates.clear()
