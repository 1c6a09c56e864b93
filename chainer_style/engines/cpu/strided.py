"""Convolutions with a stride of the picture, by tiles: its space becomes depth.

A square of pixels, as wide as the stride, is one position, and its numbers are the
channels. Over these the convolution has no stride, and its filters are as many times
smaller: 11x11 with a stride of 4 becomes 3x3 of 48 channels, which Winograd's minimal
filtering makes cheaper than it was.
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
    """A convolution with a stride by F(made, kernel) of squares.

    Attributes
    ----------
    stride
        Side of a square in pixels.
    """

    stride: int = 1

    @classmethod
    def of(cls, conv: Conv, inputs: int, made: int, backward: bool) -> Strided:
        """Return the way of a convolution.

        Parameters
        ----------
        conv
            The convolution.
        inputs
            Channels of the picture.
        made
            Results of a tile along an axis.
        backward
            Whether the gradient is asked for.
        """
        kernel, sides = extent(conv), (conv.stride**2 * inputs, conv.channels)
        read, written = sides[::-1] if backward else sides
        pad = kernel - 1 if backward else 0
        size = made, kernel, pad, read, written
        return cls(*size, backward=backward, stride=conv.stride)

    def squares(self, results: Map) -> Map:
        """Return the map of the squares that a map of results sees, or a part of it."""
        count, more = self.written if self.backward else self.read, self.kernel - 1
        return Map(
            results.height + more,
            results.width + more,
            _lined(count),
            count,
            top=results.top,
            left=results.left,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """(planes, panels, channels read, `PANEL`)."""
        planes, panels, read, _ = super().shape
        if self.backward:
            return planes, _lined(self.written) // PANEL, read, PANEL
        return planes, panels, _lined(self.read), PANEL

    def _write(self, filters: Array, found: Array) -> None:
        """Write filters, transformed in float64."""
        outputs, inputs, size, _ = filters.shape
        side, stride = self.kernel, self.stride
        more = [(0, 0)] * 2 + [(0, side * stride - size)] * 2
        parts = np.pad(filters, more).reshape(outputs, inputs, side, stride, side, -1)
        parts = parts.transpose(0, 3, 5, 1, 2, 4)
        super()._write(parts.reshape(outputs, -1, side, side), found)


def _lined(channels: int) -> int:
    """Return the channels of squares in memory: they fill up panels, and no more."""
    return -(-channels // PANEL) * PANEL
