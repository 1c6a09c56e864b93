"""The picture's gradient through a convolution with a stride, by tiles.

A square of pixels, as wide as the stride, is one position, and its numbers are the
channels. Over these the convolution has no stride, and its filters are as many times
smaller: 11x11 with a stride of 4 becomes 3x3 of 48 channels, which Winograd's minimal
filtering makes cheaper than it was.

Forth, tiles would turn the signs of more ReLUs than windows do: the picture's numbers
are far from zero, and results near zero wherever it is even.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainer_style.engines.cpu.draft import Map
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.engines.cpu.packing import Array
from chainer_style.engines.cpu.tiled import Tiles
from chainer_style.networks import INPUT
from chainer_style.networks.nodes import Conv, Shape


def has_squares(conv: Conv) -> bool:
    """Whether a convolution can be computed so."""
    return conv.stride > 1 and conv.groups == 1 and conv.inputs[0] == INPUT


def extent(conv: Conv) -> int:
    """Return the extent of the filters in squares."""
    return -(-conv.kernel // conv.stride)


def seen(conv: Conv, picture: Shape, written: Shape) -> Shape:
    """Return the squares that the results of a convolution see, as a shape."""
    channels, more = conv.stride**2 * picture.channels, extent(conv) - 1
    return Shape(channels, written.height + more, written.width + more)


@dataclass(frozen=True)
class Strided(Tiles):
    """The gradient through a convolution with a stride by F(made, kernel) of squares.

    Attributes
    ----------
    stride
        Side of a square in pixels.
    """

    stride: int = 1

    @classmethod
    def of(cls, conv: Conv, inputs: int, made: int) -> Strided:
        """Return the way of a convolution.

        Parameters
        ----------
        conv
            The convolution.
        inputs
            Channels of the picture.
        made
            Results of a tile along an axis.
        """
        kernel, written = extent(conv), conv.stride**2 * inputs
        size = made, kernel, kernel - 1, conv.channels, written
        return cls(*size, backward=True, stride=conv.stride)

    def squares(self, results: Map) -> Map:
        """Return the map of the squares that a map of results sees, or a part of it."""
        more, lined = self.kernel - 1, self.shape[1] * PANEL
        extents = results.height + more, results.width + more
        return Map(*extents, lined, self.written, top=results.top, left=results.left)

    @property
    def shape(self) -> tuple[int, ...]:
        """(planes, panels, channels read, `PANEL`): no panel only fills up."""
        planes, _, read, _ = super().shape
        return planes, -(-self.written // PANEL), read, PANEL

    def _write(self, filters: Array, found: Array) -> None:
        """Write filters, transformed in float64."""
        outputs, inputs, size, _ = filters.shape
        side, stride = self.kernel, self.stride
        more = [(0, 0)] * 2 + [(0, side * stride - size)] * 2
        parts = np.pad(filters, more).reshape(outputs, inputs, side, stride, side, -1)
        parts = parts.transpose(0, 3, 5, 1, 2, 4)
        super()._write(parts.reshape(outputs, -1, side, side), found)
