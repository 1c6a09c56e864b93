"""Rows of a picture to and from a window, by the threads of engine ``cpu``."""

from __future__ import annotations

import numpy as np

from chainer_style.engines.cpu.draft import FLOAT
from chainer_style.engines.cpu.kernels.steps import step
from chainer_style.engines.cpu.team import Team
from chainer_style.tiling.base import Array

EACH = 8
"""Units of a thread: whoever is done helps the others."""


def copy(team: Team, window: Array, rows: Array) -> None:
    """Copy a window to rows of its own.

    Parameters
    ----------
    team
        The threads.
    window
        Shape (height, width, 3), single precision: a view of rows that may be longer.
    rows
        The same shape, in one piece.
    """
    _run(team, window, rows, back=False)


def add(team: Team, window: Array, rows: Array) -> None:
    """Add rows to a window; see `copy`."""
    _run(team, window, rows, back=True)


def _run(team: Team, window: Array, rows: Array, *, back: bool) -> None:
    height, width, channels = rows.shape
    positions = max(1, height // (EACH * team.threads))
    program = step(
        "crop",
        -(-height // positions),
        x=window.ctypes.data,
        y=rows.ctypes.data,
        width=window.strides[0] // (FLOAT * channels),
        channels=channels,
        y_height=height,
        y_width=width,
        positions=positions,
        backward=back,
    )
    team.run(program, np.zeros(team.threads, np.int64))
