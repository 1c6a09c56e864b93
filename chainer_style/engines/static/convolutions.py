"""Convolutions without allocation, on arrays of shape (height, width, channels)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from chainer_style.engines.static.buffers import Array, Scratch
from chainer_style.networks.nodes import Conv

TILE = 4
"""Rows and columns of the output that a Winograd tile gives."""

SEEN = TILE + 2
"""Rows and columns of the input that it reads."""

BLOCK = 192
"""Tiles that are transformed at once: about as many as stay in the cache."""

LEAST_CHANNELS = 16
"""Of the input. With fewer, the transform costs more than it saves."""

# F(4x4, 3x3) of Lavin and Gray 2015, arXiv 1509.09308, section 4.3.
_B = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    float,
)
_G = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
_A = np.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ],
    float,
)


Kernel = Callable[[Array, Array], None]
"""Writes the convolution of its first array, (h, w, c), into its second."""


class Winograd:
    """A 3x3 convolution of stride 1 by Winograd's minimal filtering.

    Input tiles, filters and results are transformed, so that a tile takes 36
    products per pair of channels in place of 144. The filters are transformed once,
    in double precision.

    Parameters
    ----------
    filters
        Shape (out, in, 3, 3).
    pad
        Zeros around the input.
    shape
        Height and width of the input.
    scratch
        Working space.
    dtype
        Of all arithmetic.
    """

    def __init__(
        self,
        filters: Array,
        pad: int,
        shape: tuple[int, int],
        scratch: Scratch,
        dtype: np.dtype[Any],
    ) -> None:
        outputs, inputs = filters.shape[:2]
        self._channels = inputs, outputs
        self._pad = pad
        self._scratch = scratch
        self._out = tuple(extent + 2 * pad - 2 for extent in shape)
        self._tiles = tuple(-(-extent // TILE) for extent in self._out)
        self._rows = max(1, min(BLOCK // self._tiles[1], self._tiles[0]))
        self._whole = tuple(TILE * tiles for tiles in self._tiles)
        flat = filters.reshape(outputs * inputs, 9).astype(float)
        wide = (np.kron(_G, _G) @ flat.T).reshape(SEEN**2, outputs, inputs)
        self._filters = np.ascontiguousarray(wide.transpose(0, 2, 1), dtype)
        self._into = np.kron(_B, _B).astype(dtype)
        self._back = np.kron(_A, _A).astype(dtype)
        for place, size in self._spaces().items():
            scratch.reserve(place, size)

    def _spaces(self) -> dict[str, tuple[int, ...]]:
        inputs, outputs = self._channels
        tiles = self._rows * self._tiles[1]
        padded = tuple(extent + 2 for extent in self._whole)
        return {
            "padded": (*padded, inputs),
            "tiles": (SEEN**2, tiles, inputs),
            "transformed": (SEEN**2, tiles, inputs),
            "products": (SEEN**2, tiles, outputs),
            "results": (TILE**2, tiles, outputs),
            "whole": (*self._whole, outputs),
        }

    def __call__(self, x: Array, out: Array) -> None:
        """Write the convolution of `x` into `out`."""
        spaces = self._spaces()
        padded = self._scratch.array("padded", spaces["padded"])
        _fill(padded, x, self._pad)
        exact = self._whole == self._out
        whole = out if exact else self._scratch.array("whole", spaces["whole"])
        for first in range(0, self._tiles[0], self._rows):
            rows = min(self._rows, self._tiles[0] - first)
            self._block(padded, whole, first, rows)
        if not exact:
            np.copyto(out, whole[: self._out[0], : self._out[1]])

    def _block(self, padded: Array, whole: Array, first: int, rows: int) -> None:
        """Compute some rows of tiles."""
        (inputs, outputs), across = self._channels, self._tiles[1]
        count = rows * across
        space = self._scratch.array
        down, right, channel = padded.strides
        seen = as_strided(
            padded[first * TILE :],
            (SEEN, SEEN, rows, across, inputs),
            (down, right, TILE * down, TILE * right, channel),
        )
        tiles = space("tiles", (SEEN**2, count, inputs))
        np.copyto(tiles.reshape(seen.shape), seen)
        transformed = space("transformed", tiles.shape)
        flat = (SEEN**2, count * inputs)
        np.matmul(self._into, tiles.reshape(flat), out=transformed.reshape(flat))
        products = space("products", (SEEN**2, count, outputs))
        np.matmul(transformed, self._filters, out=products)
        results = space("results", (TILE**2, count, outputs))
        np.matmul(
            self._back,
            products.reshape(SEEN**2, count * outputs),
            out=results.reshape(TILE**2, count * outputs),
        )
        target = whole[first * TILE : (first + rows) * TILE]
        np.copyto(
            target.reshape(rows, TILE, across, TILE, outputs),
            results.reshape(TILE, TILE, rows, across, outputs).transpose(2, 0, 3, 1, 4),
        )


class Columns:
    """Any convolution, as one product with the matrix of its windows."""

    def __init__(
        self,
        filters: Array,
        node: Conv,
        shape: tuple[int, int],
        scratch: Scratch,
        dtype: np.dtype[Any],
    ) -> None:
        outputs = filters.shape[0]
        self._node, self._shape = node, shape
        self._inputs = filters.shape[1] * node.groups
        self._scratch = scratch
        span = 2 * node.pad - node.kernel
        self._out = tuple((extent + span) // node.stride + 1 for extent in shape)
        # (groups, windows, out): a window lists its rows, then columns, then channels.
        grouped = filters.reshape(
            node.groups, outputs // node.groups, -1, *(node.kernel, node.kernel)
        )
        matrix = grouped.transpose(0, 3, 4, 2, 1).reshape(
            node.groups, -1, outputs // node.groups
        )
        self._matrix = np.ascontiguousarray(matrix, dtype)
        self._plain = node.kernel == node.stride == node.groups == 1 and not node.pad
        scratch.reserve("padded", self._padded)
        scratch.reserve("columns", self._columns)

    @property
    def _padded(self) -> tuple[int, int, int]:
        height, width = (extent + 2 * self._node.pad for extent in self._shape)
        return height, width, self._inputs

    @property
    def _columns(self) -> tuple[int, ...]:
        window = self._inputs // self._node.groups * self._node.kernel**2
        return (math.prod(self._out), window)

    def __call__(self, x: Array, out: Array) -> None:
        """Write the convolution of `x` into `out`."""
        if self._plain:
            flat = x.reshape(-1, x.shape[2]), out.reshape(-1, out.shape[2])
            np.matmul(flat[0], self._matrix[0], out=flat[1])
            return
        node = self._node
        padded = self._scratch.array("padded", self._padded)
        _fill(padded, x, node.pad)
        columns = self._scratch.array("columns", self._columns)
        down, right, channel = padded.strides
        each, made = self._inputs // node.groups, out.shape[2] // node.groups
        for group in range(node.groups):
            windows = as_strided(
                padded[:, :, group * each :],
                (*self._out, node.kernel, node.kernel, each),
                (node.stride * down, node.stride * right, down, right, channel),
            )
            np.copyto(columns.reshape(windows.shape), windows)
            part = out[:, :, group * made : (group + 1) * made]
            if node.groups == 1:
                np.matmul(columns, self._matrix[0], out=out.reshape(-1, made))
            else:
                part[:] = (columns @ self._matrix[group]).reshape(part.shape)

    def transposed(self, gy: Array, gx: Array) -> None:
        """Write the gradient of the input into `gx`, from that of the output."""
        if self._plain:
            flat = gy.reshape(-1, gy.shape[2]), gx.reshape(-1, gx.shape[2])
            np.matmul(flat[0], self._matrix[0].T, out=flat[1])
            return
        node = self._node
        padded = self._scratch.array("padded", self._padded)
        padded[:] = 0
        columns = self._scratch.array("columns", self._columns)
        each, made = self._inputs // node.groups, gy.shape[2] // node.groups
        reach = [node.stride * (extent - 1) + 1 for extent in self._out]
        for group in range(node.groups):
            part = gy[:, :, group * made : (group + 1) * made].reshape(-1, made)
            np.matmul(part, self._matrix[group].T, out=columns)
            windows = columns.reshape(*self._out, node.kernel, node.kernel, each)
            own = padded[:, :, group * each : (group + 1) * each]
            for i in range(node.kernel):
                for j in range(node.kernel):
                    own[
                        i : i + reach[0] : node.stride, j : j + reach[1] : node.stride
                    ] += windows[:, :, i, j]
        pad = node.pad
        height, width = self._shape
        np.copyto(gx, padded[pad : pad + height, pad : pad + width])


def _fill(padded: Array, x: Array, pad: int) -> None:
    """Put an array into a larger one, zeros all around."""
    height, width = x.shape[:2]
    padded[:pad] = 0
    padded[pad + height :] = 0
    padded[pad : pad + height, :pad] = 0
    padded[pad : pad + height, pad + width :] = 0
    np.copyto(padded[pad : pad + height, pad : pad + width], x)


def pair(
    node: Conv,
    filters: Array,
    shape: tuple[int, int],
    scratch: Scratch,
    dtype: np.dtype[Any],
) -> tuple[Kernel, Kernel]:
    """Return the convolution of a node, and the one that carries gradients back.

    Parameters
    ----------
    node
        Its geometry.
    filters
        Shape (out, in / groups, kernel, kernel).
    shape
        Height and width of the input.
    scratch
        Working space.
    dtype
        Of all arithmetic.
    """
    small = (node.kernel, node.stride, node.groups) == (3, 1, 1) and node.pad <= 2
    if small and filters.shape[1] >= LEAST_CHANNELS:
        forward = Winograd(filters, node.pad, shape, scratch, dtype)
        turned = filters.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
        out = (shape[0] + 2 * node.pad - 2, shape[1] + 2 * node.pad - 2)
        return forward, Winograd(turned, 2 - node.pad, out, scratch, dtype)
    columns = Columns(filters, node, shape, scratch, dtype)
    return columns, columns.transposed
