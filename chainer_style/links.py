"""Chainer links that wrap a network's graph and its Caffe-converted weights.

The parameters of a chain carry the names of the Caffe layers, as those of
Chainer's own ``CaffeFunction`` do:

>>> from chainer_style import links
>>> chain = links.VGG16()
>>> chain.conv1_1.W.shape
(64, 3, 3, 3)
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import numpy.typing as npt
from chainer import backend

from chainer_style import networks
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import (
    Conv,
    Dropout,
    Linear,
    Node,
    Pool,
    ReLU,
    Shape,
    Softmax,
    Window,
)
from chainer_style.weights.collection import Array, Arrays

Variable = Any  # chainer.Variable, which carries no types


class NetworkChain(chainer.Chain):  # type: ignore[misc]
    """A network's graph as a Chainer chain.

    Parameters
    ----------
    network
        The graph.
    arrays
        Layer name -> ``W``/``b`` -> array. Without, the layers are initialised
        as Chainer does by default, for training from scratch.
    trainable
        Whether the gradient of the filters is computed in ``backward``.
    """

    def __init__(
        self, network: Network, arrays: Arrays | None = None, *, trainable: bool = True
    ) -> None:
        super().__init__()
        self.network = network
        self.trainable = trainable
        for layer, shapes in network.parameter_shapes().items():
            given = arrays[layer] if arrays is not None else {}
            self.add_link(layer, _link(network[layer], shapes["W"], given))

    def __call__(self, x: Variable, nodes: Sequence[str]) -> list[Variable]:
        """Run the graph and return the outputs of the named nodes.

        Parameters
        ----------
        x
            Picture in network units, shape (1, 3, height, width).
        nodes
            Names of nodes. Layers that they do not depend on are not run.

        Returns
        -------
        list of chainer.Variable
            Each of shape (1, channels, height, width), or (1, channels) behind
            a fully connected layer.
        """
        values = {INPUT: x}
        for node in self.network.upto(*nodes).nodes:
            inputs = [values[name] for name in node.inputs]
            values[node.name] = apply(node, *inputs, *self._parameters(node.name))
        return [values[name] for name in nodes]

    def _parameters(self, name: str) -> tuple[Variable, ...]:
        if name not in self._children:
            return ()
        link = self[name]
        return (link.W, link.b) if self.trainable else (link.W.array, link.b.array)


class VGG16(NetworkChain):
    """VGG-16 as a Chainer chain."""

    def __init__(self, arrays: Arrays | None = None) -> None:
        super().__init__(networks.VGG16, arrays)


class NIN(NetworkChain):
    """Network in Network as a Chainer chain."""

    def __init__(self, arrays: Arrays | None = None) -> None:
        super().__init__(networks.NIN, arrays)


@functools.singledispatch
def apply(node: Node, x: Variable, *parameters: Variable) -> Variable:
    """Run one node of a network on Chainer variables or arrays."""
    raise TypeError(f"no Chainer function for a node of {type(node).__name__}")


@apply.register
def _(node: Conv, x: Variable, W: Variable, b: Variable) -> Variable:
    return F.convolution_2d(x, W, b, stride=node.stride, pad=node.pad)


@apply.register
def _(node: Linear, x: Variable, W: Variable, b: Variable) -> Variable:
    return F.linear(x, W, b)


@apply.register
def _(node: ReLU, x: Variable) -> Variable:
    return F.relu(x)


@apply.register
def _(node: Dropout, x: Variable) -> Variable:
    return F.dropout(x)


@apply.register
def _(node: Softmax, x: Variable) -> Variable:
    return F.softmax(x)


@apply.register
def _(node: Pool, x: Variable) -> Variable:
    if node.rounding == "floor" and node.kind == "max":
        return F.max_pooling_2d(x, *node.window, cover_all=False)
    if node.rounding == "floor":
        return F.average_pooling_2d(x, *node.window)
    _, height, width = node.output_shape([Shape(*x.shape[1:])])
    if node.kind == "max":
        y = F.max_pooling_2d(x, *node.window, cover_all=True)
        return y[:, :, :height, :width]
    return _average_pooling_ceil(node, x, height, width)


def _average_pooling_ceil(node: Pool, x: Variable, height: int, width: int) -> Variable:
    """Average pooling as Caffe does it, which Chainer does not offer.

    The last windows may reach over the edge; what lies beyond the padding counts
    neither in the sum nor in the number of elements.
    """
    kernel, stride, pad = node.window
    rows, columns = x.shape[2:]
    below = max((height - 1) * stride + kernel - pad - rows, 0)
    right = max((width - 1) * stride + kernel - pad - columns, 0)
    margins = [(0, 0), (0, 0), (pad, below), (pad, right)]
    means = F.average_pooling_2d(F.pad(x, margins, "constant"), kernel, stride)
    covered = np.outer(
        _covered(height, node.window, rows), _covered(width, node.window, columns)
    )
    scale = backend.get_array_module(x).asarray(kernel**2 / covered, x.dtype)
    return means[:, :, :height, :width] * F.broadcast_to(
        chainer.as_variable(scale), (*x.shape[:2], height, width)
    )


def _covered(count: int, window: Window, length: int) -> npt.NDArray[np.int64]:
    """How many rows of picture and padding each of `count` windows covers."""
    start = np.arange(count) * window.stride - window.pad
    return np.minimum(start + window.kernel, length + window.pad) - start


def _link(node: Node, shape: tuple[int, ...], arrays: Mapping[str, Array]) -> Any:
    """Return Chainer's link for a layer with filters of that shape."""
    initial = {"initialW": arrays.get("W"), "initial_bias": arrays.get("b")}
    if isinstance(node, Conv):
        return L.Convolution2D(
            shape[1], shape[0], node.kernel, node.stride, node.pad, **initial
        )
    return L.Linear(shape[1], shape[0], **initial)
