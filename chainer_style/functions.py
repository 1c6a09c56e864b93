"""The operations of a network's graph as Chainer functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import chainer
import chainer.functions as F
import numpy as np
import numpy.typing as npt
from chainer import backend

from chainer_style.networks.nodes import (
    LRN,
    Concat,
    Conv,
    Dropout,
    Linear,
    Node,
    Pool,
    PoolKind,
    ReLU,
    Shape,
    Sigmoid,
    Softmax,
    Window,
)

Variable = Any  # chainer.Variable, which carries no types


@functools.singledispatch
def apply(node: Node, x: Variable, *more: Variable) -> Variable:
    """Run one node of a network on Chainer variables or arrays.

    Parameters
    ----------
    node
        The node.
    x
        Its first input, shape (batch, channels, height, width).
    *more
        Its other inputs; or its parameters ``W`` and ``b``.
    """
    raise TypeError(f"no Chainer function for a node of {type(node).__name__}")


@apply.register
def _(node: Conv, x: Variable, W: Variable, b: Variable) -> Variable:
    return F.convolution_2d(
        x, W, b, stride=node.stride, pad=node.pad, groups=node.groups
    )


@apply.register
def _(node: Linear, x: Variable, W: Variable, b: Variable) -> Variable:
    return F.linear(x, W, b)


@apply.register
def _(node: ReLU, x: Variable) -> Variable:
    return F.relu(x)


@apply.register
def _(node: Dropout, x: Variable) -> Variable:
    return F.dropout(x, node.ratio)


@apply.register
def _(node: Softmax, x: Variable) -> Variable:
    return F.softmax(x)


@apply.register
def _(node: Sigmoid, x: Variable) -> Variable:
    return F.sigmoid(x)


@apply.register
def _(node: Concat, *inputs: Variable) -> Variable:
    return F.concat(inputs, axis=1)


@apply.register
def _(node: LRN, x: Variable) -> Variable:
    # Chainer does not divide alpha by the size of the window.
    alpha = node.alpha / node.local_size
    return F.local_response_normalization(x, node.local_size, node.k, alpha, node.beta)


@apply.register
def _(node: Pool, x: Variable) -> Variable:
    return _POOLING[node.kind](node, x)


def _max_pooling(node: Pool, x: Variable) -> Variable:
    if node.rounding == "floor":
        return F.max_pooling_2d(x, *node.window, cover_all=False)
    _, height, width = node.output_shape([Shape(*x.shape[1:])])
    y = F.max_pooling_2d(x, *node.window, cover_all=True)
    # A slice of everything would still cost a copy on the way back.
    same = y.shape[2:] == (height, width)
    return y if same else y[:, :, :height, :width]


def _average_pooling(node: Pool, x: Variable) -> Variable:
    if node.rounding == "floor":
        return F.average_pooling_2d(x, *node.window)
    return _average_pooling_ceil(node, x)


def _l2_pooling(node: Pool, x: Variable) -> Variable:
    means = _average_pooling(node, F.square(x))
    # The root's derivative at 0 is infinite, and times that of a square not a number.
    zero = (means.array == 0).astype(x.dtype)
    return F.sqrt(means + zero) - zero


_POOLING: dict[PoolKind, Callable[[Pool, Variable], Variable]] = {
    "average": _average_pooling,
    "max": _max_pooling,
    "l2": _l2_pooling,
}


def _average_pooling_ceil(node: Pool, x: Variable) -> Variable:
    """Average pooling as Caffe does it, which Chainer does not offer.

    The last windows may reach over the edge; what lies beyond the padding counts
    neither in the sum nor in the number of elements.
    """
    kernel, stride, pad = node.window
    _, height, width = node.output_shape([Shape(*x.shape[1:])])
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
