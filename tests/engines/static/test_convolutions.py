from __future__ import annotations

import chainer.functions as F
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainer_style.engines.static import convolutions
from chainer_style.engines.static.buffers import Scratch
from chainer_style.engines.static.convolutions import Columns, Winograd
from chainer_style.networks.nodes import Conv, Shape


def run(node, height, width, inputs, dtype=np.float64, seed=0):
    """Return x, filters, output, a gradient of it, and what comes back."""
    dtype = np.dtype(dtype)
    random = np.random.RandomState(seed)
    shape = node.output_shape([Shape(inputs, height, width)])
    x = random.randn(height, width, inputs).astype(dtype)
    filters = random.randn(
        node.channels, inputs // node.groups, node.kernel, node.kernel
    )
    scratch = Scratch(dtype)
    forward, back = convolutions.pair(node, filters, (height, width), scratch, dtype)
    y = np.full((shape.height, shape.width, shape.channels), np.nan, dtype)
    forward(x, y)
    gy = random.randn(*y.shape).astype(dtype)
    gx = np.full(x.shape, np.nan, dtype)
    back(gy, gx)
    return x, filters, y, gy, gx, forward


def chainers(node, x, filters):
    planes = x.transpose(2, 0, 1)[None].astype(float)
    y = F.convolution_2d(
        planes, filters, stride=node.stride, pad=node.pad, groups=node.groups
    )
    return y.array[0].transpose(1, 2, 0)


WINOGRAD = Conv("c", channels=24, kernel=3, pad=1)

OTHERS = [
    Conv("c", channels=6, kernel=1),
    Conv("c", channels=6, kernel=3, pad=1),
    Conv("c", channels=6, kernel=5, pad=2),
    Conv("c", channels=6, kernel=11, stride=4),
    Conv("c", channels=6, kernel=7, stride=2, pad=3),
    Conv("c", channels=6, kernel=3, pad=1, groups=3),
    Conv("c", channels=6, kernel=5, stride=2, pad=1, groups=2),
    Conv("c", channels=6, kernel=1, stride=2),
]


@pytest.mark.parametrize("node", OTHERS)
@pytest.mark.parametrize("size", [(11, 11), (13, 16), (20, 15)])
def test_any_convolution_is_chainers(node, size):
    x, filters, y, gy, gx, kernel = run(node, *size, inputs=6)
    assert isinstance(kernel, Columns)
    np.testing.assert_allclose(y, chainers(node, x, filters), rtol=1e-9, atol=1e-11)
    # The one carries back what the other carried forth.
    assert np.vdot(y, gy) == pytest.approx(np.vdot(x, gx), rel=1e-9)


@settings(max_examples=30)
@given(
    height=st.integers(3, 23),
    width=st.integers(3, 23),
    inputs=st.integers(16, 20),
    outputs=st.integers(1, 20),
    pad=st.integers(0, 2),
)
def test_winograd_is_chainers(height, width, inputs, outputs, pad):
    node = Conv("c", channels=outputs, kernel=3, pad=pad)
    x, filters, y, gy, gx, kernel = run(node, height, width, inputs)
    assert isinstance(kernel, Winograd)
    np.testing.assert_allclose(y, chainers(node, x, filters), rtol=1e-9, atol=1e-10)
    assert np.vdot(y, gy) == pytest.approx(np.vdot(x, gx), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("channels", [64, 256, 512])
def test_winograds_error_in_single_precision(channels):
    """Against direct convolution in double precision; one layer, relative L2."""
    node = Conv("c", channels=64, kernel=3, pad=1)
    x, filters, y, *_ = run(node, 18, 22, channels, np.float32)
    exact = chainers(node, x, filters)
    error = np.linalg.norm(y - exact) / np.linalg.norm(exact)
    assert 1e-8 < error < 5e-6


def test_what_is_left_in_the_working_space_does_not_matter():
    node, dtype = WINOGRAD, np.dtype(float)
    scratch = Scratch(dtype)
    random = np.random.RandomState(0)
    filters = random.randn(24, 16, 3, 3)
    forward, _ = convolutions.pair(node, filters, (9, 10), scratch, dtype)
    x, y = random.randn(9, 10, 16), np.empty((9, 10, 24))
    forward(x, y)
    before = y.copy()
    for space in scratch._space.values():
        space[:] = np.nan
    forward(x, y)
    np.testing.assert_array_equal(y, before)
