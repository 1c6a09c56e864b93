from __future__ import annotations

import chainer
import numpy as np
import pytest
from chainer import gradient_check
from hypothesis import given, settings
from hypothesis import strategies as st

from chainer_style import functions
from chainer_style.networks.nodes import Node, Pool, Shape


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


def test_an_unknown_node_is_refused():
    with pytest.raises(TypeError, match="no Chainer function for a node of Node"):
        functions.apply(Node("n", ("data",)), np.zeros((1, 1, 1, 1)))
