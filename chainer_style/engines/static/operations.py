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

from chainer_style.engines.static import convolutions, pooling
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

    def __init__(
        self,
        node: ReLU,
        inputs: Sequence[Shape],
        output: Shape,
        scratch: Scratch,
        dtype: np.dtype[Any],
    ) -> None:
        super().__init__(node, inputs, output)
        self._shape = (output.height, output.width, output.channels)
        self._scratch = scratch
        scratch.reserve("padded", self._shape)

    def forward(self, inputs: Sequence[Array], y: Array) -> None:
        """Write the output."""
        np.maximum(inputs[0], 0, out=y)

    def backward(
        self, inputs: Sequence[Array], y: Array, gy: Array, gradients: Sequence[Array]
    ) -> None:
        """Write the gradient of the input."""
        active = self._scratch.array("padded", self._shape)
        np.greater(y, 0, out=active)
        np.multiply(gy, active, out=gradients[0])


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
    """Average, maximum or root mean square over windows."""

    def __init__(
        self,
        node: Pool,
        inputs: Sequence[Shape],
        output: Shape,
        scratch: Scratch,
        dtype: np.dtype[Any],
    ) -> None:
        super().__init__(node, inputs, output)
        kind = pooling.KINDS[node.kind]
        self._windows = kind(node, inputs[0], output, scratch, dtype)

    def forward(self, inputs: Sequence[Array], y: Array) -> None:
        """Write the output."""
        self._windows.forward(inputs[0], y)

    def backward(
        self, inputs: Sequence[Array], y: Array, gy: Array, gradients: Sequence[Array]
    ) -> None:
        """Write the gradient of the input."""
        self._windows.backward(inputs[0], y, gy, gradients[0])


class Normalisation(Operation):
    """Local response normalisation across channels."""

    node: LRN

    def __init__(
        self,
        node: LRN,
        inputs: Sequence[Shape],
        output: Shape,
        scratch: Scratch,
        dtype: np.dtype[Any],
    ) -> None:
        super().__init__(node, inputs, output)
        self._strength = node.alpha / node.local_size
        self._shape = (output.height, output.width, output.channels)
        self._scale = np.empty(self._shape, dtype)
        self._scratch = scratch
        for place in ("padded", "whole"):
            scratch.reserve(place, self._shape)

    def forward(self, inputs: Sequence[Array], y: Array) -> None:
        """Write the output."""
        squares = self._scratch.array("padded", self._shape)
        np.square(inputs[0], out=squares)
        self._sum(squares, self._scale)
        self._scale *= self._strength
        self._scale += self.node.k
        np.power(self._scale, -self.node.beta, out=y)
        y *= inputs[0]

    def backward(
        self, inputs: Sequence[Array], y: Array, gy: Array, gradients: Sequence[Array]
    ) -> None:
        """Write the gradient of the input."""
        own = self._scratch.array("padded", self._shape)
        sums = self._scratch.array("whole", self._shape)
        np.multiply(gy, y, out=own)
        own /= self._scale
        self._sum(own, sums)
        sums *= inputs[0]
        sums *= 2 * self._strength * self.node.beta
        np.power(self._scale, -self.node.beta, out=own)
        own *= gy
        np.subtract(own, sums, out=gradients[0])

    def _sum(self, values: Array, total: Array) -> None:
        """Write the sums over neighbouring channels."""
        np.copyto(total, values)
        for step in range(1, self.node.local_size // 2 + 1):
            total[:, :, step:] += values[:, :, :-step]
            total[:, :, :-step] += values[:, :, step:]


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
def _(
    node: ReLU, inputs: Any, output: Any, parameters: Any, scratch: Any, dtype: Any
) -> Operation:
    return Rectifier(node, inputs, output, scratch, dtype)


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
def _(
    node: LRN, inputs: Any, output: Any, parameters: Any, scratch: Any, dtype: Any
) -> Operation:
    return Normalisation(node, inputs, output, scratch, dtype)
