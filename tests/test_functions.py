from __future__ import annotations

import itertools

import chainer
import numpy as np
import pytest
from chainer import gradient_check
from hypothesis import given, settings
from hypothesis import strategies as st

from chainer_style import functions
from chainer_style.networks.nodes import (
    LRN,
    Concat,
    Conv,
    Node,
    Pool,
    Shape,
    Sigmoid,
)


def pool_by_loops(x, node: Pool):
    """Pooling as Caffe's pooling_layer.cpp describes it, one window at a time."""
    channels, rows, columns = x.shape
    _, height, width = node.output_shape([Shape(*x.shape)])
    out = np.empty((channels, height, width))
    for i in range(height):
        for j in range(width):
            top, left = i * node.stride - node.pad, j * node.stride - node.pad
            bottom = min(top + node.kernel, rows + node.pad)
            right = min(left + node.kernel, columns + node.pad)
            area = (bottom - top) * (right - left)
            seen = x[:, max(top, 0) : bottom, max(left, 0) : right]
            flat = seen.reshape(channels, -1)
            out[:, i, j] = flat.max(1) if node.kind == "max" else flat.sum(1) / area
    return out


@settings(max_examples=60)
@given(
    height=st.integers(3, 12),
    width=st.integers(3, 12),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    pad=st.integers(0, 1),
    kind=st.sampled_from(["max", "average"]),
    rounding=st.sampled_from(["floor", "ceil"]),
)
def test_pooling_is_caffes(height, width, kernel, stride, pad, kind, rounding):
    if pad >= kernel or stride > kernel:
        return
    node = Pool("p", ("data",), kernel, stride, pad, kind, rounding)
    x = np.random.RandomState(height * width).normal(size=(1, 2, height, width))
    found = functions.apply(node, chainer.Variable(x)).array[0]
    np.testing.assert_allclose(found, pool_by_loops(x[0], node), rtol=1e-12)


def test_pooling_that_overhangs_has_a_gradient():
    node = Pool("p", ("data",), 3, 2, 0, "average", "ceil")
    x = np.random.RandomState(0).normal(size=(1, 2, 6, 8))
    gradient_check.check_backward(
        lambda v: functions.apply(node, v), x, np.ones((1, 2, 3, 4)), dtype="d"
    )


def lrn_by_loops(x, node: LRN):
    """Normalisation as Caffe's lrn_layer.cpp describes it, one channel at a time."""
    out, half = np.empty_like(x), node.local_size // 2
    for c in range(len(x)):
        near = x[max(c - half, 0) : c + half + 1]
        scale = node.k + node.alpha / node.local_size * (near**2).sum(axis=0)
        out[c] = x[c] * scale**-node.beta
    return out


def lrn_gradient_by_loops(x, gy, node: LRN):
    """The derivative of every output with respect to every input, added up."""
    half, share = node.local_size // 2, node.alpha / node.local_size
    gx = np.zeros_like(x)
    for c in range(len(x)):
        near = slice(max(c - half, 0), c + half + 1)
        scale = node.k + share * (x[near] ** 2).sum(axis=0)
        gx[c] += gy[c] * scale**-node.beta
        slope = -node.beta * scale ** (-node.beta - 1) * x[c]
        gx[near] += gy[c] * slope * share * 2 * x[near]
    return gx


@settings(max_examples=30)
@given(
    channels=st.integers(1, 9),
    local_size=st.sampled_from([1, 3, 5]),
    alpha=st.floats(1e-4, 2),
    beta=st.floats(0.5, 1),
    k=st.sampled_from([1.0, 2.0]),
)
def test_normalization_is_caffes(channels, local_size, alpha, beta, k):
    node = LRN("n", ("data",), local_size, alpha, beta, k)
    random = np.random.RandomState(channels)
    x, gy = random.normal(size=(2, 1, channels, 3, 4)) * 10
    variable = chainer.Variable(x)
    y = functions.apply(node, variable)
    np.testing.assert_allclose(y.array[0], lrn_by_loops(x[0], node), rtol=1e-12)
    y.grad = gy
    y.backward()
    expected = lrn_gradient_by_loops(x[0], gy[0], node)
    np.testing.assert_allclose(variable.grad[0], expected, rtol=1e-9, atol=1e-12)


def test_normalization_passes_finite_differences():
    random = np.random.RandomState(1)
    x, gy = random.normal(size=(2, 1, 7, 3, 2)) * 5
    node = LRN("n", ("data",), 5, 0.5, 0.75, 1.0)
    gradient_check.check_backward(
        lambda v: functions.apply(node, v), x, gy, dtype="d", rtol=1e-6, atol=1e-8
    )


def conv_by_loops(x, W, b, node: Conv):
    """Convolution one output position and group at a time."""
    channels, (_, seen, kernel, _) = len(W) // node.groups, W.shape
    padded = np.pad(x, ((0, 0), *[(node.pad, node.pad)] * 2))
    _, height, width = node.output_shape([Shape(*x.shape)])
    out = np.empty((len(W), height, width))
    for c, (i, j) in itertools.product(range(len(W)), np.ndindex(height, width)):
        first = c // channels * seen
        top, left = i * node.stride, j * node.stride
        patch = padded[first : first + seen, top : top + kernel, left : left + kernel]
        out[c, i, j] = (W[c] * patch).sum() + b[c]
    return out


def conv_gradient_by_loops(x, W, gy, node: Conv):
    """Every output position gives its filter back to what it saw."""
    channels, (_, seen, kernel, _) = len(W) // node.groups, W.shape
    padded = np.zeros(np.add(x.shape, (0, 2 * node.pad, 2 * node.pad)))
    for c, i, j in np.ndindex(*gy.shape):
        first = c // channels * seen
        top, left = i * node.stride, j * node.stride
        patch = padded[first : first + seen, top : top + kernel, left : left + kernel]
        patch += gy[c, i, j] * W[c]
    edge = slice(node.pad, -node.pad or None)
    return padded[:, edge, edge]


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize(("kernel", "stride", "pad"), [(3, 1, 1), (3, 2, 0), (1, 1, 0)])
def test_a_convolution_in_groups_sees_its_own_channels(groups, kernel, stride, pad):
    node = Conv("c", ("data",), 12, kernel, stride, pad, groups)
    random = np.random.RandomState(groups)
    x = random.normal(size=(1, 6, 7, 5))
    shapes = node.parameter_shapes([Shape(6, 7, 5)])
    W, b = random.normal(size=shapes["W"]), random.normal(size=shapes["b"])
    variable = chainer.Variable(x)
    y = functions.apply(node, variable, W, b)
    np.testing.assert_allclose(y.array[0], conv_by_loops(x[0], W, b, node), rtol=1e-11)
    y.grad = gy = random.normal(size=y.shape)
    y.backward()
    expected = conv_gradient_by_loops(x[0], W, gy[0], node)
    np.testing.assert_allclose(variable.grad[0], expected, rtol=1e-11, atol=1e-13)


def test_concat_joins_channels_and_shares_the_gradient_out():
    random = np.random.RandomState(0)
    parts = [random.normal(size=(1, n, 2, 3)) for n in (2, 1, 4)]
    variables = [chainer.Variable(part) for part in parts]
    y = functions.apply(Concat("c", ("a", "b", "d")), *variables)
    assert y.shape == (1, 7, 2, 3)
    for first, part in zip((0, 2, 3), parts, strict=True):
        np.testing.assert_array_equal(y.array[:, first : first + part.shape[1]], part)
    y.grad = gy = random.normal(size=y.shape)
    y.backward()
    given_back = np.concatenate([variable.grad for variable in variables], axis=1)
    np.testing.assert_array_equal(given_back, gy)


def test_sigmoid():
    x = np.array([-2.0, 0.0, 3.0]).reshape(1, 3, 1, 1)
    y = functions.apply(Sigmoid("s", ("data",)), x).array
    np.testing.assert_allclose(y, 1 / (1 + np.exp(-x)))


def test_an_unknown_node_is_refused():
    with pytest.raises(TypeError, match="no Chainer function for a node of Node"):
        functions.apply(Node("n", ("data",)), np.zeros((1, 1, 1, 1)))
