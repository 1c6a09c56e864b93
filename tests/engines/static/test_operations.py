from __future__ import annotations

import chainer
import numpy as np
import pytest
from chainer import Variable

from chainer_style import functions
from chainer_style.engines.static.buffers import Scratch
from chainer_style.engines.static.operations import operation
from chainer_style.errors import UserError
from chainer_style.networks.nodes import (
    LRN,
    Concat,
    Dropout,
    Pool,
    ReLU,
    Shape,
    Softmax,
)

SIZES = [(12, 12), (13, 17), (7, 9)]

NODES = [
    ReLU("n"),
    Dropout("n"),
    LRN("n"),
    LRN("n", local_size=3, alpha=0.5, beta=0.6, k=2.0),
    *(
        Pool("n", kernel=kernel, stride=stride, pad=pad, kind=kind, rounding=rounding)
        for kernel, stride, pad in ((2, 2, 0), (3, 2, 0), (3, 1, 1), (3, 2, 1))
        for kind in ("average", "max")
        for rounding in ("floor", "ceil")
    ),
]


def outer(array):
    return array.transpose(2, 0, 1)[None]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("node", NODES, ids=repr)
def test_forward_and_backward_are_chainers(node, size):
    check(node, [Shape(6, *size)])


def test_joined_channels():
    check(Concat("n"), [Shape(2, 5, 6), Shape(3, 5, 6), Shape(1, 5, 6)])


def check(node, shapes):
    dtype = np.dtype(float)
    random = np.random.RandomState(0)
    output = node.output_shape(shapes)
    op = operation(node, shapes, output, (), scratch := Scratch(dtype), dtype)
    inputs = [random.randn(s.height, s.width, s.channels) for s in shapes]
    y = np.full((output.height, output.width, output.channels), np.nan)
    op.forward(inputs, y)
    gy = random.randn(*y.shape)
    gradients = [np.full(x.shape, np.nan) for x in inputs]
    for space in scratch._space.values():
        space[:] = np.nan
    op.backward(inputs, y, gy, gradients)
    variables = [Variable(np.ascontiguousarray(outer(x))) for x in inputs]
    with chainer.using_config("train", False):
        expected = functions.apply(node, *variables)
    np.testing.assert_allclose(outer(y), expected.array, rtol=1e-10, atol=1e-12)
    expected.grad = np.ascontiguousarray(outer(gy))
    expected.backward()
    for found, variable in zip(gradients, variables, strict=True):
        np.testing.assert_allclose(outer(found), variable.grad, rtol=1e-9, atol=1e-11)


def test_what_no_picture_is_painted_through_is_refused():
    shape = Shape(3, 1, 1)
    with pytest.raises(UserError, match="'numpy' does not know prob, of kind Softmax"):
        operation(Softmax("prob"), [shape], shape, (), None, None)
