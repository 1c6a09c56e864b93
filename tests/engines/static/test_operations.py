from __future__ import annotations

import chainer
import numpy as np
import pytest
from chainer import Variable
from hypothesis import given
from hypothesis import strategies as st

from chainer_style import functions
from chainer_style.engines.static.buffers import Scratch
from chainer_style.engines.static.operations import operation
from chainer_style.errors import UserError
from chainer_style.networks.nodes import (
    LRN,
    POOL_KINDS,
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
    *(Pool("n", kernel=3, stride=1, pad=1, kind=kind) for kind in POOL_KINDS),
]


def outer(array):
    return array.transpose(2, 0, 1)[None]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("node", NODES, ids=repr)
def test_forward_and_backward_are_chainers(node, size):
    check(node, [Shape(6, *size)])


@given(
    height=st.integers(3, 12),
    width=st.integers(3, 12),
    window=st.sampled_from([(1, 1, 0), (2, 2, 0), (3, 2, 0), (3, 1, 1), (3, 2, 1)]),
    kind=st.sampled_from(POOL_KINDS),
    rounding=st.sampled_from(["floor", "ceil"]),
    rectified=st.booleans(),
)
def test_any_pooling_is_chainers(height, width, window, kind, rounding, rectified):
    node = Pool("n", ("data",), *window, kind, rounding)
    check(node, [Shape(3, height, width)], rectified)


def test_l2_pooling_of_nothing_takes_no_gradient():
    node, dtype = Pool("n", kind="l2"), np.dtype(np.float32)
    shapes = Shape(1, 2, 4), Shape(1, 1, 2)
    op = operation(node, shapes[:1], shapes[1], (), Scratch(dtype), dtype)
    x = np.zeros((2, 4, 1), dtype)
    x[:, 0, 0] = 3, 4
    y, gx = np.full((1, 2, 1), np.nan, dtype), np.full(x.shape, np.nan, dtype)
    op.forward([x], y)
    np.testing.assert_array_equal(y[0, :, 0], [2.5, 0])
    op.backward([x], y, np.ones_like(y), [gx])
    np.testing.assert_allclose(gx[:, :, 0], [[0.3, 0, 0, 0], [0.4, 0, 0, 0]], rtol=1e-6)


def test_joined_channels():
    check(Concat("n"), [Shape(2, 5, 6), Shape(3, 5, 6), Shape(1, 5, 6)])


def check(node, shapes, rectified=False):
    dtype = np.dtype(float)
    random = np.random.RandomState(0)
    output = node.output_shape(shapes)
    op = operation(node, shapes, output, (), scratch := Scratch(dtype), dtype)
    inputs = [random.randn(s.height, s.width, s.channels) for s in shapes]
    if rectified:  # most windows see zeros, some nothing else
        inputs = [np.maximum(x - 1, 0) for x in inputs]
    y = np.full((output.height, output.width, output.channels), np.nan)
    op.forward(inputs, y)
    gy = random.randn(*y.shape)
    gradients = [np.full(x.shape, np.nan) for x in inputs]
    for space in scratch._space.values():
        space[:] = np.nan
    op.backward(inputs, y, gy, gradients)
    if [x.shape for x in inputs] == [y.shape]:
        over = gy.copy()
        op.backward(inputs, y, over, [over])
        np.testing.assert_array_equal(over, gradients[0])
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
