"""Filters as the kernels read them, in panels: what all ways to convolve share."""

from __future__ import annotations

import abc
import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

UNIT = 32
"""Feature maps have a multiple of so many channels; the last ones may be zero. It is
a multiple of every target's panel."""


def filled(channels: int) -> int:
    """Return the channels that a feature map of so many has in memory."""
    return -(-channels // UNIT) * UNIT


def bias(values: Array) -> Array:
    """Return a bias with zeros for the channels that fill up."""
    found = np.zeros(filled(len(values)), np.float32)
    found[: len(values)] = values
    return found


def halves(values: Array) -> Array:
    """Return the upper halves of float32, rounded to the nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype(np.uint16)


def paired(panels: Array) -> Array:
    """Return filters, (..., in, `PANEL`), in bfloat16, two rows beside each other."""
    *more, rows, columns = panels.shape
    pairs = halves(panels).reshape(*more, rows // 2, 2, columns)
    return np.ascontiguousarray(np.swapaxes(pairs, -1, -2))


class Packed(abc.ABC):
    """What every way to convolve has in common: its filters."""

    half = False
    """Whether filters are multiplied in bfloat16."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of the filters as they are read: panels, rows and columns of each at last."""

    @property
    def nbytes(self) -> int:
        """Bytes of that array."""
        return math.prod(self.shape) * (2 if self.half else 4)

    def pack(self, filters: Array, room: Array) -> Array:
        """Return filters, (out, in / groups, kernel, kernel), as they are read.

        Parameters
        ----------
        filters
            As they are.
        room
            Where to write them: as many bytes as they take, all zero.
        """
        if self.half:
            found = np.zeros(self.shape, np.float32)
            self._write(filters, found)
            pairs = paired(found)
            halved = room.view(np.uint16).reshape(pairs.shape)
            halved[...] = pairs
            return halved
        placed = room.view(np.float32).reshape(self.shape)
        self._write(filters, placed)
        return placed

    @abc.abstractmethod
    def _write(self, filters: Array, found: Array) -> None:
        """Write filters into zeros of the way's shape, in single precision."""
