"""The ways to convolve, and filters as the kernels of each read them, in panels.

What a way is follows from shapes alone; `Packed.pack` then makes its array.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chainer_style.engines.cpu.kernels import direct
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.engines.cpu.packing import UNIT, Array, Packed, filled
from chainer_style.engines.cpu.strided import Strided, has_squares
from chainer_style.engines.cpu.tiled import Fresh, Tiles
from chainer_style.networks.nodes import Conv


@dataclass(frozen=True)
class Windows(Packed):
    """Any convolution as windows times a matrix; see `kernels.windows`.

    Attributes
    ----------
    conv
        The convolution.
    groups
        Its groups, or 1 where their channels are no whole number of panels.
    kernel, stride, pad
        Of the windows.
    square
        Side of the square of results that a window gives.
    read, written
        Channels of a group, as they lie in memory.
    unit
        Of what the results of a window are a multiple.
    backward
        Whether it carries gradients back.
    """

    conv: Conv
    groups: int
    kernel: int
    stride: int
    pad: int
    square: int
    read: int
    written: int
    unit: int
    backward: bool

    @property
    def side(self) -> int:
        """Results of a window along an axis."""
        return self.square

    @property
    def products(self) -> int:
        """Multiplications per window."""
        return math.prod(self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """(groups, panels, window, `PANEL`); rows of a window, columns, channels."""
        made = self.square**2 * self.written
        panels = -(-made // self.unit) * self.unit // PANEL
        return self.groups, panels, self.kernel**2 * self.read, PANEL

    def _write(self, filters: Array, found: Array) -> None:
        """Write filters as that matrix."""
        if self.groups < self.conv.groups:
            filters = dense(filters, self.conv.groups)
        parts = filters.reshape(self.groups, -1, *filters.shape[1:])
        if self.square > 1:
            _cut(self._back(parts, self.written), found)
            return
        # Panel by panel: all at once would take the memory twice.
        columns = parts.shape[2 if self.backward else 1]
        for panel in range(-(-columns // PANEL)):
            here = slice(panel * PANEL, min((panel + 1) * PANEL, columns))
            if self.backward:
                part = self._back(parts[:, :, here], here.stop - here.start)
            else:
                part = self._forth(parts[:, here])
            depth = self.shape[2]
            found[:, panel, :, : part.shape[-1]] = part.reshape(self.groups, depth, -1)

    def _forth(self, parts: Array) -> Array:
        groups, outputs, each, *_ = parts.shape
        extent = self.kernel, self.kernel
        matrix = np.zeros((groups, *extent, self.read, outputs), np.float32)
        matrix[:, :, :, :each] = parts.transpose(0, 3, 4, 2, 1)
        return matrix

    def _back(self, parts: Array, written: int) -> Array:
        groups, outputs, each, *_ = parts.shape
        stride, pad, side = self.conv.stride, self.conv.pad, self.square
        extent = self.kernel, self.kernel
        shape = groups, *extent, self.read, side, side, written
        matrix = np.zeros(shape, np.float32)
        along = [
            (u, i, k)
            for u in range(side)
            for i in range(self.kernel)
            if 0 <= (k := u + pad - stride * (i - self.pad)) < self.conv.kernel
        ]
        for u, i, row in along:
            for v, j, column in along:
                matrix[:, i, j, :outputs, u, v, :each] = parts[:, :, :, row, column]
        return matrix.reshape(*shape[:4], -1)


@dataclass(frozen=True)
class Direct(Packed):
    """A convolution of small maps, both ways by the same filters; see `kernels.direct`.

    Attributes
    ----------
    kernel, pad
        Of the convolution.
    inputs, outputs
        Its channels.
    """

    kernel: int
    pad: int
    inputs: int
    outputs: int

    side = 1
    """Results along an axis that filters are read for at once, at least."""

    @property
    def products(self) -> int:
        """Multiplications per position within the map."""
        return self.kernel**2 * filled(self.inputs) * filled(self.outputs)

    @property
    def shape(self) -> tuple[int, ...]:
        """(panels, numbers of one: places, channels, `PANEL`; a line of zeros)."""
        numbers = self.kernel**2 * filled(self.inputs) * PANEL
        return filled(self.outputs) // PANEL, numbers + direct.LINE // 4

    def _write(self, filters: Array, found: Array) -> None:
        """Write filters."""
        for panel, numbers in enumerate(found):
            part = filters[panel * PANEL : (panel + 1) * PANEL]
            places = numbers[: -(direct.LINE // 4)].reshape(self.kernel**2, -1, PANEL)
            flat = part.reshape(*part.shape[:2], self.kernel**2).transpose(2, 1, 0)
            places[:, : self.inputs, : len(part)] = flat


@dataclass(frozen=True)
class Gather(Packed):
    """The gradient of the picture by a convolution; see `kernels.gather`.

    Attributes
    ----------
    kernel, stride, pad
        Of the convolution.
    read, written
        Channels.
    """

    kernel: int
    stride: int
    pad: int
    read: int
    written: int

    @property
    def wide(self) -> int:
        """Columns of a window, filled up to whole strides."""
        return -(-self.kernel // self.stride) * self.stride

    @property
    def shape(self) -> tuple[int, ...]:
        """(panels, channels read, `PANEL`); rows of a window, columns, channels."""
        numbers = self.kernel * self.wide * self.written
        return -(-numbers // PANEL), filled(self.read), PANEL

    @property
    def cost(self) -> float:
        """The multiplications per pixel and channel of the output."""
        return self.shape[0] * PANEL / self.stride**2

    def _write(self, filters: Array, found: Array) -> None:
        """Write filters as that matrix."""
        more = [(0, 0)] * 3 + [(0, self.wide - self.kernel)]
        matrix = np.pad(filters, more).transpose(0, 2, 3, 1)
        _cut(matrix.reshape(1, len(filters), -1), found[None])


Way = Tiles | Windows | Direct | Gather
"""A way to convolve."""


def way(
    conv: Conv,
    inputs: int,
    raw: bool,
    backward: bool,
    made: int,
    half: bool = False,
    fresh: bool = False,
) -> Way:
    """Return the way to compute a convolution, or the gradient of its input.

    Parameters
    ----------
    conv
        The convolution.
    inputs
        Channels that it reads.
    raw
        Whether it reads the picture, which has its own channels only.
    backward
        Whether the gradient is asked for.
    made
        Results of the best Winograd tile along an axis; 0: none can be used.
    half
        Whether tiles may be multiplied in bfloat16.
    fresh
        Whether filters of tiles are transformed each time that they are read.
    """
    if made and has_squares(conv):
        return Strided.of(conv, inputs, made)
    if made:
        channels = inputs, conv.channels
        read, written = channels[::-1] if backward else channels
        pad = conv.kernel - 1 - conv.pad if backward else conv.pad
        # The error of others in bfloat16 was not looked at.
        half = half and conv.kernel == 3
        if fresh:
            return Fresh(made, conv.kernel, pad, read, written, backward)
        return Tiles(made, conv.kernel, pad, read, written, backward, half)
    if not backward:
        return _forward(conv, inputs, raw)
    windows = _backward(conv, inputs, raw)
    if raw and conv.groups == 1:
        size = conv.kernel, conv.stride, conv.pad
        gather = Gather(*size, conv.channels, inputs)
        if conv.stride == 1 or gather.cost < _cost(windows.square, inputs, conv):
            return gather
    return windows


def _forward(conv: Conv, inputs: int, raw: bool) -> Windows:
    fits = not conv.channels // conv.groups % UNIT
    groups = conv.groups if fits else 1
    read = inputs // groups if groups > 1 or raw else filled(inputs)
    return Windows(
        conv,
        groups,
        conv.kernel,
        conv.stride,
        conv.pad,
        square=1,
        read=read,
        written=conv.channels // groups,
        unit=UNIT,
        backward=False,
    )


def _backward(conv: Conv, inputs: int, raw: bool) -> Windows:
    """Return the gradient of a convolution's input as windows on its output's.

    A square of the input, its side a multiple of the stride, gathers all that reaches
    it from one window. With few channels a larger square fills more of a panel, but
    needs a larger window: the cheapest is taken.
    """
    fits = not inputs // conv.groups % UNIT and conv.stride == 1
    groups = conv.groups if fits else 1
    written = inputs // groups if raw or groups > 1 else filled(inputs)
    square = 1
    if raw or conv.stride > 1:
        sides = (conv.stride * n for n in range(1, 7))
        square = min(sides, key=lambda side: _cost(side, written, conv))
    first, window = _reach(square, conv)
    made = conv.channels // groups
    return Windows(
        conv,
        groups,
        window,
        square // conv.stride,
        -first,
        square,
        read=made if groups > 1 else filled(made),
        written=written,
        unit=PANEL if raw or square > 1 else UNIT,
        backward=True,
    )


def _reach(square: int, conv: Conv) -> tuple[int, int]:
    """Return where the window begins that reaches a square, and its extent."""
    first = -((conv.kernel - 1 - conv.pad) // conv.stride)
    last = (square - 1 + conv.pad) // conv.stride
    return first, last - first + 1


def _cost(square: int, channels: int, conv: Conv) -> float:
    """Return the multiplications per pixel and channel of the output."""
    _, window = _reach(square, conv)
    panels = -(-square * square * channels // PANEL) * PANEL
    return window * window * panels / (square * square)


def dense(filters: Array, groups: int) -> Array:
    """Return the filters of a convolution in groups as those of one without."""
    outputs, each, *kernel = filters.shape
    made = outputs // groups
    found = np.zeros((outputs, each * groups, *kernel), filters.dtype)
    for group in range(groups):
        rows = slice(group * made, (group + 1) * made)
        found[rows, group * each : (group + 1) * each] = filters[rows]
    return found


def _cut(matrix: Array, found: Array) -> None:
    """Write (groups, ..., outputs) as panels of its last axis into zeros."""
    groups = len(found)
    outputs, rows = matrix.shape[-1], math.prod(matrix.shape[1:]) // matrix.shape[-1]
    flat = matrix.reshape(groups, rows, outputs)
    for panel in range(-(-outputs // PANEL)):
        part = flat[:, :, panel * PANEL : (panel + 1) * PANEL]
        found[:, panel, :rows, : part.shape[2]] = part
