"""Filters as the kernels read them: transformed, turned for gradients, in panels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.engines.cpu.kernels.matrices import matrices
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.networks.nodes import Conv

Array = npt.NDArray[Any]

UNIT = 32
"""Feature maps have a multiple of so many channels; the last ones may be zero. It is
a multiple of every target's panel."""


def filled(channels: int) -> int:
    """Return the channels that a feature map of so many has in memory."""
    return -(-channels // UNIT) * UNIT


@dataclass(frozen=True)
class Windows:
    """A convolution as windows times a matrix; see `windows.windows`.

    Attributes
    ----------
    panels
        Filters: shape (groups, panels, window, `PANEL`), a window listing its rows,
        then columns, then channels.
    kernel, stride, pad
        Of the windows.
    square
        Side of the square of results that a window gives.
    read
        Channels read per position, of one group.
    """

    panels: Array
    kernel: int
    stride: int
    pad: int
    square: int
    read: int


def bias(values: Array) -> Array:
    """Return a bias with zeros for the channels that fill up."""
    found = np.zeros(filled(len(values)), np.float32)
    found[: len(values)] = values
    return found


def transformed(filters: Array, made: int) -> Array:
    """Return filters as F(made, 3) multiplies by them.

    Parameters
    ----------
    filters
        Shape (out, in, 3, 3).
    made
        Results of a tile along an axis.

    Returns
    -------
    numpy.ndarray
        Shape ((made + 2)², panels, in, `PANEL`), float32; computed in float64.
    """
    outputs, inputs = filters.shape[:2]
    one = matrices(made).filters
    both = np.kron(one, one)
    found = np.zeros(
        (len(both), filled(outputs) // PANEL, filled(inputs), PANEL), np.float32
    )
    for panel in range(-(-outputs // PANEL)):
        part = filters[panel * PANEL : (panel + 1) * PANEL].astype(np.float64)
        wide = both @ part.reshape(-1, 9).T
        wide = wide.reshape(-1, len(part), inputs).transpose(0, 2, 1)
        found[:, panel, :inputs, : len(part)] = wide
    return found


def turned(filters: Array) -> Array:
    """Return the filters that carry gradients back: turned round, sides swapped."""
    return filters.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]


def dense(filters: Array, groups: int) -> Array:
    """Return the filters of a convolution in groups as those of one without.

    For groups whose channels are no whole number of panels.
    """
    outputs, each, *kernel = filters.shape
    made = outputs // groups
    found = np.zeros((outputs, each * groups, *kernel), filters.dtype)
    for group in range(groups):
        rows = slice(group * made, (group + 1) * made)
        found[rows, group * each : (group + 1) * each] = filters[rows]
    return found


def forward(filters: Array, conv: Conv, raw: bool) -> Windows:
    """Return a convolution as windows.

    Parameters
    ----------
    filters
        Shape (out, in / groups, kernel, kernel).
    conv
        Its geometry.
    raw
        Whether it reads the picture, which has its own channels only.
    """
    outputs, each, kernel, _ = filters.shape
    groups = conv.groups
    if groups > 1 and (outputs // groups) % UNIT:
        return forward(dense(filters, groups), replace(conv, groups=1), raw)
    read = each if groups > 1 or raw else filled(each)
    parts = filters.reshape(groups, outputs // groups, each, kernel, kernel)
    matrix = np.zeros((groups, kernel, kernel, read, outputs // groups), np.float32)
    matrix[:, :, :, :each] = parts.transpose(0, 3, 4, 2, 1)
    return Windows(_packed(matrix, UNIT), kernel, conv.stride, conv.pad, 1, read)


def backward(filters: Array, conv: Conv, raw: bool) -> Windows:
    """Return the gradient of a convolution's input as windows on its output's.

    A square of the input, its side a multiple of the stride, gathers all that reaches
    it from one window. With few channels a larger square fills more of a panel, but
    needs a larger window: the cheapest is taken.
    """
    outputs, each, kernel, _ = filters.shape
    groups, stride, pad = conv.groups, conv.stride, conv.pad
    if groups > 1 and (each % UNIT or stride > 1):
        return backward(dense(filters, groups), replace(conv, groups=1), raw)
    written = each if raw or groups > 1 else filled(each)
    square = 1
    if raw or stride > 1:
        square = min(
            (stride * n for n in range(1, 7)),
            key=lambda side: _cost(side, written, kernel, stride, pad),
        )
    first, window = _reach(square, kernel, stride, pad)
    made = outputs // groups
    read = made if groups > 1 else filled(made)
    matrix = np.zeros(
        (groups, window, window, read, square, square, written), np.float32
    )
    parts = filters.reshape(groups, made, each, kernel, kernel)
    along = [
        (u, i, k)
        for u in range(square)
        for i in range(window)
        if 0 <= (k := u + pad - stride * (first + i)) < kernel
    ]
    for u, i, row in along:
        for v, j, column in along:
            matrix[:, i, j, :made, u, v, :each] = parts[:, :, :, row, column]
    flat = matrix.reshape(groups, window, window, read, -1)
    panels = _packed(flat, PANEL if raw or square > 1 else UNIT)
    return Windows(panels, window, square // stride, -first, square, read)


def gathered(filters: Array) -> Array:
    """Return the filters of a convolution of the picture as `gather.gather` reads them.

    Shape (panels, out, `PANEL`): a row lists the places of the window, then channels.
    """
    outputs, inputs, kernel, _ = filters.shape
    matrix = np.zeros((1, 1, 1, filled(outputs), kernel * kernel * inputs), np.float32)
    flat = filters.transpose(0, 2, 3, 1).reshape(outputs, -1)
    matrix[0, 0, 0, :outputs] = flat
    found: Array = _packed(matrix, PANEL)[0]
    return found


def _reach(square: int, kernel: int, stride: int, pad: int) -> tuple[int, int]:
    """Return where the window begins that reaches a square, and its extent."""
    first = -((kernel - 1 - pad) // stride)
    last = (square - 1 + pad) // stride
    return first, last - first + 1


def _cost(square: int, channels: int, kernel: int, stride: int, pad: int) -> float:
    """Return the multiplications per pixel and channel of the output."""
    _, window = _reach(square, kernel, stride, pad)
    panels = -(-square * square * channels // PANEL) * PANEL
    return window * window * panels / (square * square)


def _packed(matrix: Array, unit: int) -> Array:
    """Return (groups, kernel, kernel, in, out) in panels of the last axis."""
    groups, outputs = matrix.shape[0], matrix.shape[-1]
    depth = math.prod(matrix.shape[1:-1])
    count = -(-outputs // unit) * unit // PANEL
    found = np.zeros((groups, count * PANEL, depth), np.float32)
    found[:, :outputs] = matrix.reshape(groups, depth, outputs).transpose(0, 2, 1)
    shaped = found.reshape(groups, count, PANEL, depth)
    return np.ascontiguousarray(shaped.transpose(0, 1, 3, 2))
