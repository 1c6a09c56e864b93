"""Convolutions by Winograd's minimal filtering, and their filters in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainer_style.engines.cpu.kernels.matrices import matrices
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.engines.cpu.packing import Array, Packed, filled

PART = 8
"""Filters that are transformed at once: in double precision they take some room."""


@dataclass(frozen=True)
class Tiles(Packed):
    """A convolution of stride 1 by F(made, kernel); see `kernels.winograd`.

    Attributes
    ----------
    made
        Results of a tile along an axis.
    kernel
        Extent of the filters.
    pad
        Zeros around what is read.
    read, written
        Channels.
    backward
        Whether it carries gradients back: the filters turned round, sides swapped.
    half
        Whether they are multiplied in bfloat16.
    """

    made: int
    kernel: int
    pad: int
    read: int
    written: int
    backward: bool
    half: bool = False

    @property
    def side(self) -> int:
        """Results of a tile along an axis."""
        return self.made

    @property
    def planes(self) -> int:
        """Products per pair of channels and tile."""
        return (self.made + self.kernel - 1) ** 2

    @property
    def shape(self) -> tuple[int, ...]:
        """(planes, panels, channels read, `PANEL`)."""
        panels = filled(self.written) // PANEL
        return self.planes, panels, filled(self.read), PANEL

    @property
    def products(self) -> int:
        """Multiplications per tile."""
        return self.planes * filled(self.read) * filled(self.written)

    def _turned(self, filters: Array) -> Array:
        """Return (written, read, kernel, kernel)."""
        if not self.backward:
            return filters
        return filters.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]

    def _write(self, filters: Array, found: Array) -> None:
        """Write filters, transformed in float64."""
        filters = self._turned(filters)
        one = matrices(self.made, self.kernel).filters
        both = np.kron(one, one)
        for start in range(0, self.written, PART):
            part = filters[start : start + PART].astype(np.float64)
            wide = both @ part.reshape(-1, self.kernel**2).T
            wide = wide.reshape(-1, len(part), self.read).transpose(0, 2, 1)
            panel, first = divmod(start, PANEL)
            found[:, panel, : self.read, first : first + len(part)] = wide


class Fresh(Tiles):
    """The same with filters as they are, transformed each time that they are read.

    See `kernels.fresh`.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(panels, channels read, places of a filter, `PANEL`)."""
        panels = filled(self.written) // PANEL
        return panels, filled(self.read), self.kernel**2, PANEL

    def _write(self, filters: Array, found: Array) -> None:
        """Write filters."""
        for start in range(0, self.written, PANEL):
            part = self._turned(filters)[start : start + PANEL]
            flat = part.reshape(len(part), self.read, -1)
            found[start // PANEL, : self.read, :, : len(part)] = flat.transpose(1, 2, 0)
