"""Iterations in windows: their rates go to the device at once, their losses come back.

Nobody waits for the device in between. A window's losses are copied when it is full;
those of one that is not are copied when somebody asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.engines.cuda.machine import Machine

Array = npt.NDArray[Any]

LENGTH = 64
"""Iterations of a window."""

AHEAD = 2
"""Windows that may have been asked for and not be done."""


class Window:
    """Some iterations, and what is known of their losses.

    Parameters
    ----------
    machine
        Which computes them.
    losses
        Address of their rows of terms.
    terms
        How many a row has.
    """

    def __init__(self, machine: Machine, losses: int, terms: int) -> None:
        self._machine, self._losses, self._terms = machine, losses, terms
        self.count = 0
        self._known = 0
        self._rows: Callable[[], Array] | None = None

    def row(self, index: int) -> Sequence[float]:
        """Return the terms of one iteration; waits for it."""
        if index >= self._known:
            self.copy()
        assert self._rows is not None
        return [float(value) for value in self._rows()[index]]

    def copy(self) -> None:
        """Ask for the losses of what has been asked for so far."""
        shape = self.count, self._terms
        self._rows = self._machine.later(self._losses, shape, np.float32)
        self._known = self.count

    def wait(self) -> None:
        """Wait until it is done, once `copy` was asked for."""
        assert self._rows is not None
        self._rows()


class Windows:
    """The windows of a run, one after the other.

    Parameters
    ----------
    machine
        Which computes them.
    addresses
        Of ``rates``, ``losses`` and ``counter``.
    terms
        Numbers that an iteration leaves.
    """

    def __init__(self, machine: Machine, addresses: dict[str, int], terms: int) -> None:
        self._machine, self._addresses, self._terms = machine, addresses, terms
        self._open: Window | None = None
        self._asked: deque[Window] = deque()

    def next(self, rates: Callable[[int], Array]) -> tuple[Window, int]:
        """Return the window of the next iteration, and its place there.

        Parameters
        ----------
        rates
            Returns how far Adam goes in so many iterations from now on.
        """
        if self._open is None:
            if len(self._asked) == AHEAD:
                self._asked.popleft().wait()
            self.rewind()
            self._machine.write(self._addresses["rates"], rates(LENGTH))
            losses = self._addresses["losses"]
            self._open = Window(self._machine, losses, self._terms)
        window = self._open
        window.count += 1
        return window, window.count - 1

    def done(self) -> None:
        """Note that the iteration was asked for."""
        if self._open is not None and self._open.count == LENGTH:
            self.close()

    def close(self) -> None:
        """End the window that is open: the next iteration begins another."""
        if self._open is not None:
            self._open.copy()
            self._asked.append(self._open)
            self._open = None

    def rewind(self) -> None:
        """Let the next iteration be the first of the device's rows."""
        self._machine.write(self._addresses["counter"], np.array([-1], np.int32))
