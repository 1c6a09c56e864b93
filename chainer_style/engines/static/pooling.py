"""Pooling without allocation, on arrays of shape (height, width, channels)."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainer_style.engines.static.buffers import Array, Scratch
from chainer_style.networks.nodes import Pool, Shape


class Windows(abc.ABC):
    """Pooling, window position by window position.

    Parameters
    ----------
    node
        Its geometry.
    seen, output
        Shapes of input and output.
    scratch
        Working space.
    dtype
        Of all arithmetic.
    """

    def __init__(
        self,
        node: Pool,
        seen: Shape,
        output: Shape,
        scratch: Scratch,
        dtype: np.dtype[Any],
    ) -> None:
        self._node, self._shape = node, (output.height, output.width, output.channels)
        self._scratch = scratch
        # The last window need not reach the end, and then the padding ends it.
        height, width = (
            max((count - 1) * node.stride + node.kernel, length + node.pad)
            for count, length in zip(output[1:], seen[1:], strict=True)
        )
        self._padded = (height, width, output.channels)
        scratch.reserve("padded", self._padded)
        scratch.reserve("tiles", self._shape)

    @abc.abstractmethod
    def forward(self, x: Array, y: Array) -> None:
        """Write the output."""

    @abc.abstractmethod
    def backward(self, x: Array, y: Array, gy: Array, gx: Array) -> None:
        """Write the gradient of the input; `gx` may be `gy`."""

    def _spread(self, x: Array, beyond: float) -> Array:
        """Return the input within its padding."""
        padded = self._scratch.array("padded", self._padded)
        padded[:] = beyond
        np.copyto(self._inner(padded, x.shape), x)
        return padded

    def _empty(self) -> Array:
        """Return zeros, for gradients to be added to."""
        padded = self._scratch.array("padded", self._padded)
        padded[:] = 0
        return padded

    def _inner(self, padded: Array, shape: Sequence[int]) -> Array:
        """Return the part that is not padding."""
        pad, (height, width, _) = self._node.pad, shape
        return padded[pad : pad + height, pad : pad + width]

    def _positions(self, padded: Array) -> Iterator[Array]:
        """Return what all windows see at their first position, second, and so on."""
        stride, (height, width, _) = self._node.stride, self._shape
        for i, j in np.ndindex(self._node.kernel, self._node.kernel):
            yield padded[
                i : i + stride * (height - 1) + 1 : stride,
                j : j + stride * (width - 1) + 1 : stride,
            ]

    def _part(self) -> Array:
        """Return room for one number per window."""
        return self._scratch.array("tiles", self._shape)


class Maximum(Windows):
    """The largest value."""

    def __init__(
        self,
        node: Pool,
        seen: Shape,
        output: Shape,
        scratch: Scratch,
        dtype: np.dtype[Any],
    ) -> None:
        super().__init__(node, seen, output, scratch, dtype)
        self._chosen = np.empty(self._shape, np.uint16)

    def forward(self, x: Array, y: Array) -> None:
        """Write the output, and note the first position that has it."""
        larger = self._scratch.array("tiles", self._shape, self._chosen.dtype)
        self._chosen[:] = 0
        for position, seen in enumerate(self._positions(self._spread(x, -np.inf))):
            if not position:
                np.copyto(y, seen)
                continue
            # Arithmetic, because writing where a mask says so takes many times as long.
            np.greater(seen, y, out=larger)
            larger *= position
            np.maximum(self._chosen, larger, out=self._chosen)
            np.maximum(y, seen, out=y)

    def backward(self, x: Array, y: Array, gy: Array, gx: Array) -> None:
        """Write the gradient of the input."""
        padded, part = self._empty(), self._part()
        for position, seen in enumerate(self._positions(padded)):
            np.equal(self._chosen, position, out=part)
            part *= gy
            seen += part
        np.copyto(gx, self._inner(padded, gx.shape))


class Average(Windows):
    """The mean of what a window covers of picture and padding."""

    def __init__(
        self,
        node: Pool,
        seen: Shape,
        output: Shape,
        scratch: Scratch,
        dtype: np.dtype[Any],
    ) -> None:
        super().__init__(node, seen, output, scratch, dtype)
        sides = zip(output[1:], seen[1:], strict=True)
        rows, columns = (self._covered(*side) for side in sides)
        self._share = (1 / np.outer(rows, columns)).astype(dtype)[:, :, None]

    def _covered(self, count: int, length: int) -> Array:
        """Return how many rows each of `count` windows covers."""
        node = self._node
        start = np.arange(count) * node.stride - node.pad
        end = np.minimum(start + node.kernel, length + node.pad)
        return (end - start).astype(float)

    def forward(self, x: Array, y: Array) -> None:
        """Write the output."""
        self._mean(self._spread(x, 0), y)

    def backward(self, x: Array, y: Array, gy: Array, gx: Array) -> None:
        """Write the gradient of the input."""
        self._give(np.multiply(gy, self._share, out=self._part()), gx)

    def _mean(self, padded: Array, y: Array) -> None:
        """Write the mean of every window."""
        y[:] = 0
        for seen in self._positions(padded):
            y += seen
        y *= self._share

    def _give(self, part: Array, gx: Array) -> None:
        """Write the sum, at each place, of `part` of all windows that see it."""
        padded = self._empty()
        for seen in self._positions(padded):
            seen += part
        np.copyto(gx, self._inner(padded, gx.shape))


class RootMeanSquare(Average):
    """The root of the mean square."""

    def forward(self, x: Array, y: Array) -> None:
        """Write the output."""
        padded = self._spread(x, 0)
        self._mean(np.square(padded, out=padded), y)
        np.sqrt(y, out=y)

    def backward(self, x: Array, y: Array, gy: Array, gx: Array) -> None:
        """Write the gradient of the input."""
        part = self._part()
        # Where a window is 0 all that it sees is, and takes nothing: divide by 1.
        np.equal(y, 0, out=part)
        part += y
        np.divide(gy, part, out=part)
        part *= self._share
        self._give(part, gx)
        gx *= x


KINDS: dict[str, type[Windows]] = {
    "average": Average,
    "max": Maximum,
    "l2": RootMeanSquare,
}
"""What runs each kind of pooling."""
