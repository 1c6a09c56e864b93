"""The nodes of a network as operations on arrays that are there already.

Arrays have shape (height, width, channels). ``backward`` writes the gradient of its
inputs; who adds several gradients up is the plan.
"""

from __future__ import annotations

import abc
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainer_style.engines.static import convolutions
from chainer_style.engines.static.buffers import Array, Scratch
from chainer_style.errors import UserError
from chainer_style.networks.nodes import (
    LRN,
    Concat,
    Conv,
    Dropout,
    Node,
    Pool,
    ReLU,
    Shape,
)


class Operation(abc.ABC):
    """A node with its parameters, ready to run.

    Parameters
    ----------
    node
        The node.
    inputs
        Shapes of its inputs.
    output
        Shape of its output.
    """

    def __init__(self, node: Node, inputs: Sequence[Shape], output: Shape) -> None:
        self.node, self.inputs, self.output = node, inputs, output

    @abc.abstractmethod
    def forward(self, inputs: Sequence[Array], y: Array) -> None:
        """Write the output."""

    @abc.abstractmethod
    def backward(
        self, inputs: Sequence[Array], y: Array, gy: Array, gradients: Sequence[Array]
    ) -> None:
        """Write the gradient of every input, from that of the output.

        Those of the output and of the first input may be the same array where both
        have one shape.
        """


class Convolution(Operation):
    """A convolution with its bias."""

    def __init__(
        self,
        node: Conv,
        inputs: Sequence[Shape],
        output: Shape,
        parameters: tuple[Array, Array],
        scratch: Scratch,
        dtype: np.dtype[Any],
    ) -> None:
        super().__init__(node, inputs, output)
        filters, bias = parameters
        self._bias = bias.astype(dtype)
        shape = inputs[0].height, inputs[0].width
        self._run, self._back = convolutions.pair(node, filters, shape, scratch, dtype)

    def forward(self, inputs: Sequence[Array], y: Array) -> None:
        """Write the output."""
        self._run(inputs[0], y)
        y += self._bias

    def backward(
        self, inputs: Sequence[Array], y: Array, gy: Array, gradients: Sequence[Array]
    ) -> None:
        """Write the gradient of the input."""
        self._back(gy, gradients[0])


class Rectifier(Operation):
    """max(x, 0), in place where input and output are one array."""

    def forward(self, inputs: Sequence[Array], y: Array) -> None:
        """Write the output."""
        np.maximum(inputs[0], 0, out=y)

    def backward(
        self, inputs: Sequence[Array], y: Array, gy: Array, gradients: Sequence[Array]
    ) -> None:
        """Write the gradient of the input."""
        np.multiply(gy, y > 0, out=gradients[0])


class Identity(Operation):
    """Dropout, which is at rest."""

    def forward(self, inputs: Sequence[Array], y: Array) -> None:
        """Write the output."""
        np.copyto(y, inputs[0])

    def backward(
        self, inputs: Sequence[Array], y: Array, gy: Array, gradients: Sequence[Array]
    ) -> None:
        """Write the gradient of the input."""
        np.copyto(gradients[0], gy)


class Joint(Operation):
    """The channels of all inputs, one after the other."""

    def forward(self, inputs: Sequence[Array], y: Array) -> None:
        """Write the output."""
        np.concatenate(inputs, axis=2, out=y)

    def backward(
        self, inputs: Sequence[Array], y: Array, gy: Array, gradients: Sequence[Array]
    ) -> None:
        """Write the gradients of the inputs."""
        start = 0
        for gradient in gradients:
            np.copyto(gradient, gy[:, :, start : start + gradient.shape[2]])
            start += gradient.shape[2]


class Pooling(Operation):
    """Average or maximum over windows, window position by window position.

    An average counts what a window covers of picture and padding; a window that
    reaches further has fewer to count.
    """

    node: Pool

    def __init__(
        self,
        node: Pool,
        inputs: Sequence[Shape],
        output: Shape,
        scratch: Scratch,
        dtype: np.dtype[Any],
    ) -> None:
        super().__init__(node, inputs, output)
        self._scratch = scratch
        sides = zip(output[1:], inputs[0][1:], strict=True)
        extents = [(count, length) for count, length in sides]
        rows, columns = (self._covered(*extent) for extent in extents)
        self._share = (1 / np.outer(rows, columns)).astype(dtype)[:, :, None]
        self._padded = (
            *((count - 1) * node.stride + node.kernel for count, _ in extents),
            output.channels,
        )
        # The last window need not reach the end, and then the padding ends it.
        self._padded = (
            max(self._padded[0], inputs[0].height + node.pad),
            max(self._padded[1], inputs[0].width + node.pad),
            output.channels,
        )
        scratch.reserve("padded", self._padded)
        scratch.reserve("tiles", (output.height, output.width, output.channels))
        self._chosen = None
        if node.kind == "max":
            shape = (output.height, output.width, output.channels)
            self._chosen = np.empty(shape, np.uint16)

    def _covered(self, count: int, length: int) -> Array:
        node = self.node
        start = np.arange(count) * node.stride - node.pad
        end = np.minimum(start + node.kernel, length + node.pad)
        return (end - start).astype(float)

    def _seen(self, padded: Array, position: int) -> Array:
        """Return what all windows see at one of their positions."""
        node, (_, height, width) = self.node, self.output
        i, j = divmod(position, node.kernel)
        return padded[
            i : i + node.stride * (height - 1) + 1 : node.stride,
            j : j + node.stride * (width - 1) + 1 : node.stride,
        ]

    def _spread(self, x: Array, beyond: float) -> Array:
        """Return the input within its padding."""
        pad, (height, width, _) = self.node.pad, x.shape
        padded = self._scratch.array("padded", self._padded)
        padded[:] = beyond
        padded[pad : pad + height, pad : pad + width] = x
        return padded

    def forward(self, inputs: Sequence[Array], y: Array) -> None:
        """Write the output."""
        if self._chosen is None:
            padded = self._spread(inputs[0], 0)
            np.copyto(y, self._seen(padded, 0))
            for position in range(1, self.node.kernel**2):
                y += self._seen(padded, position)
            y *= self._share
            return
        padded = self._spread(inputs[0], -np.inf)
        np.copyto(y, self._seen(padded, 0))
        self._chosen[:] = 0
        for position in range(1, self.node.kernel**2):
            seen = self._seen(padded, position)
            larger = seen > y
            np.copyto(y, seen, where=larger)
            self._chosen[larger] = position

    def backward(
        self, inputs: Sequence[Array], y: Array, gy: Array, gradients: Sequence[Array]
    ) -> None:
        """Write the gradient of the input."""
        gx = gradients[0]
        padded = self._scratch.array("padded", self._padded)
        padded[:] = 0
        part = self._scratch.array("tiles", gy.shape)
        if self._chosen is None:
            np.multiply(gy, self._share, out=part)
        for position in range(self.node.kernel**2):
            if self._chosen is not None:
                np.multiply(gy, self._chosen == position, out=part)
            seen = self._seen(padded, position)
            seen += part
        pad, (height, width, _) = self.node.pad, gx.shape
        np.copyto(gx, padded[pad : pad + height, pad : pad + width])


class Normalisation(Operation):
    """Local response normalisation across channels."""

    node: LRN

    def forward(self, inputs: Sequence[Array], y: Array) -> None:
        """Write the output."""
        self._scale = self.node.k + self._sums(inputs[0] ** 2) * self._strength
        np.multiply(inputs[0], self._scale**-self.node.beta, out=y)

    def backward(
        self, inputs: Sequence[Array], y: Array, gy: Array, gradients: Sequence[Array]
    ) -> None:
        """Write the gradient of the input."""
        x, node = inputs[0], self.node
        sums = self._sums(gy * y / self._scale)
        own = gy * self._scale**-node.beta
        gradients[0][:] = own - 2 * self._strength * node.beta * x * sums

    @property
    def _strength(self) -> float:
        return self.node.alpha / self.node.local_size

    def _sums(self, values: Array) -> Array:
        """Return the sums over neighbouring channels."""
        reach = self.node.local_size // 2
        total = values.copy()
        for step in range(1, reach + 1):
            total[:, :, step:] += values[:, :, :-step]
            total[:, :, :-step] += values[:, :, step:]
        return total


@functools.singledispatch
def operation(
    node: Node,
    inputs: Sequence[Shape],
    output: Shape,
    parameters: tuple[Array, ...],
    scratch: Scratch,
    dtype: np.dtype[Any],
) -> Operation:
    """Return the operation of a node.

    Raises
    ------
    UserError
        If there is none.
    """
    kind = type(node).__name__
    raise UserError(f"the engine 'numpy' does not know {node.name}, of kind {kind}")


@operation.register
def _(node: Conv, inputs: Any, output: Any, *more: Any) -> Operation:
    return Convolution(node, inputs, output, *more)


@operation.register
def _(node: ReLU, inputs: Any, output: Any, *more: Any) -> Operation:
    return Rectifier(node, inputs, output)


@operation.register
def _(node: Dropout, inputs: Any, output: Any, *more: Any) -> Operation:
    return Identity(node, inputs, output)


@operation.register
def _(node: Concat, inputs: Any, output: Any, *more: Any) -> Operation:
    return Joint(node, inputs, output)


@operation.register
def _(
    node: Pool, inputs: Any, output: Any, parameters: Any, scratch: Any, dtype: Any
) -> Operation:
    return Pooling(node, inputs, output, scratch, dtype)


@operation.register
def _(node: LRN, inputs: Any, output: Any, *more: Any) -> Operation:
    return Normalisation(node, inputs, output)
