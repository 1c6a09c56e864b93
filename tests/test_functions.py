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
    POOL_KINDS,
    Concat,
    Conv,
    Node,
    Pool,
    Shape,
    Sigmoid,
)


def windows(node: Pool, rows, columns):
    """What each position of the output sees: rows, columns, area with padding.

    As Caffe's pooling_layer.cpp describes it.
    """
    _, height, width = node.output_shape([Shape(1, rows, columns)])
    for i, j in np.ndindex(height, width):
        top, left = i * node.stride - node.pad, j * node.stride - node.pad
        bottom = min(top + node.kernel, rows + node.pad)
        right = min(left + node.kernel, columns + node.pad)
        seen = np.s_[:, max(top, 0) : bottom, max(left, 0) : right]
        yield (i, j), seen, (bottom - top) * (right - left)


def pool_by_loops(x, node: Pool):
    """Pooling one window at a time."""
    channels, rows, columns = x.shape
    out = np.empty(node.output_shape([Shape(*x.shape)]))
    for (i, j), seen, area in windows(node, rows, columns):
        flat = x[seen].reshape(channels, -1)
        out[:, i, j] = {
            "max": flat.max(1),
            "average": flat.sum(1) / area,
            "l2": np.sqrt((flat**2).sum(1) / area),
        }[node.kind]
    return out


def pool_gradient_by_loops(x, gy, node: Pool):
    """Every window gives back to what it saw."""
    gx = np.zeros_like(x)
    for (i, j), seen, area in windows(node, *x.shape[1:]):
        y, part = gy[:, i, j], gx[seen]
        for c, values in enumerate(x[seen]):
            root = np.sqrt((values**2).sum() / area)
            if node.kind == "max":
                part[c].flat[values.argmax()] += y[c]
            elif node.kind == "average":
                part[c] += y[c] / area
            elif root > 0:
                part[c] += y[c] * values / (area * root)
    return gx


@settings(max_examples=100)
@given(
    height=st.integers(3, 12),
    width=st.integers(3, 12),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    pad=st.integers(0, 1),
    kind=st.sampled_from(POOL_KINDS),
    rounding=st.sampled_from(["floor", "ceil"]),
    rectified=st.booleans(),
)
def test_pooling_is_caffes(
    height, width, kernel, stride, pad, kind, rounding, rectified
):
    if pad >= kernel or stride > kernel:
        return
    node = Pool("p", ("data",), kernel, stride, pad, kind, rounding)
    random = np.random.RandomState(height * width)
    x = random.normal(size=(1, 2, height, width))
    if rectified:  # most windows see zeros, some nothing else
        x = np.maximum(x - 1, 0)
    variable = chainer.Variable(x)
    y = functions.apply(node, variable)
    np.testing.assert_allclose(y.array[0], pool_by_loops(x[0], node), rtol=1e-12)
    y.grad = gy = random.normal(size=y.shape)
    y.backward()
    expected = pool_gradient_by_loops(x[0], gy[0], node)
    np.testing.assert_allclose(variable.grad[0], expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("kind", ["average", "l2"])
@pytest.mark.parametrize(("kernel", "stride", "pad"), [(3, 2, 0), (3, 2, 1), (2, 2, 0)])
def test_pooling_passes_finite_differences(kind, kernel, stride, pad):
    """Over the edge, too."""
    node = Pool("p", ("data",), kernel, stride, pad, kind, "ceil")
    random = np.random.RandomState(0)
    x = random.normal(size=(1, 2, 6, 9))
    gy = random.normal(size=(1, *node.output_shape([Shape(2, 6, 9)])))
    gradient_check.check_backward(
        lambda v: functions.apply(node, v), x, gy, dtype="d", rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("rounding", ["floor", "ceil"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_l2_pooling_of_nothing(rounding, dtype):
    """Windows of zeros give 0 and take no gradient, beside others that do."""
    x = np.zeros((1, 1, 4, 5), dtype)
    x[0, 0, 0] = 3, 4, 0, 0, 0
    variable = chainer.Variable(x)
    y = functions.apply(Pool("p", kind="l2", rounding=rounding), variable)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.array[0, 0, :, :2], [[2.5, 0], [0, 0]])
    y.grad = np.ones_like(y.array)
    y.backward()
    expected = np.zeros((4, 5))
    expected[0, :2] = 0.3, 0.4  # x / (4 * 2.5)
    np.testing.assert_allclose(variable.grad[0, 0], expected, rtol=1e-6)


def test_l2_pooling_lies_between_average_and_maximum():
    x = np.random.RandomState(0).uniform(0, 5, (1, 3, 9, 8))
    average, l2, largest = (
        functions.apply(Pool("p", kernel=3, kind=kind), x).array
        for kind in ("average", "l2", "max")
    )
    assert (average < l2).all()
    assert (l2 < largest).all()


@pytest.mark.parametrize(("kernel", "rounding"), [(2, "floor"), (3, "ceil")])
def test_l2_pooling_keeps_the_scale(kernel, rounding):
    node = Pool("p", kernel=kernel, kind="l2", rounding=rounding)
    y = functions.apply(node, np.full((1, 2, 8, 8), -7.0)).array
    np.testing.assert_allclose(y, 7, rtol=1e-14)


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
def test_normalisation_is_caffes(channels, local_size, alpha, beta, k):
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


def test_normalisation_passes_finite_differences():
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
