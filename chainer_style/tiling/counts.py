"""What is counted of a picture in tiles, and by what it is told."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from chainer_style.engines.cpu.draft import FLOAT

PLANES = 3 * FLOAT
"""Bytes of a pixel of the picture, of its gradient, of each of Adam's moments."""

SNAPSHOT, CHECKPOINT = PLANES + 4, 3 * PLANES
"""Bytes per pixel that saving them takes: planes and Pillow's copy; Adam's state."""


@dataclass(frozen=True)
class Layout:
    """A way to cut a picture.

    Attributes
    ----------
    side
        Pixels of a tile; see `Grid`.
    again
        How many taps' features the way back computes anew; see `TileDrafts`.
    on_disk
        Whether the content's features are in a file.
    """

    side: int
    again: int
    on_disk: bool


@dataclass(frozen=True)
class Extents:
    """How large a transfer's pictures are.

    Attributes
    ----------
    content, style
        Height and width.
    rows
        First row, and first row behind, of the part that is computed; None: all.
    """

    content: tuple[int, int]
    style: tuple[int, int]
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Company:
    """What is in memory beside a transfer's tiles.

    Attributes
    ----------
    program
        Bytes of the process as it is, the pictures left out.
    held
        Bytes of a state that an engine is to go on from, left out too: they are let
        go of once it has.
    saved
        Bytes per pixel that are taken where something is saved.
    """

    program: int = 0
    held: int = 0
    saved: int = SNAPSHOT


@dataclass(frozen=True)
class Estimate:
    """Bytes that a layout takes while it runs.

    Attributes
    ----------
    pictures
        The picture, its gradient, Adam's moments, and what is saved of them.
    filters
        As the kernels read them, both ways.
    content
        The content's features, those of one tile if they are in a file.
    kept
        Signs and features between a tile's ways forth and back.
    room
        Feature maps and gradients of one tile, and the threads' space.
    matrices
        Gram matrices, and what they are off by.
    program
        All else: Python, libraries, weights.
    """

    pictures: int
    filters: int
    content: int
    kept: int
    room: int
    matrices: int
    program: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(astuple(self))
