"""Chainer's basic functions against NumPy: the edits change no result."""

import chainer
import numpy as np
import pytest
from chainer import functions
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

pytestmark = pytest.mark.filterwarnings("error")

SIZES = st.integers(4, 9)


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


def windows(x, kernel, stride):
    return sliding_window_view(x, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]


@given(h=SIZES, w=SIZES, stride=st.integers(1, 3), pad=st.integers(0, 2))
def test_convolution_and_its_gradient(h, w, stride, pad):
    x, W, b = random(2, 3, h, w), random(4, 3, 3, 3), random(4)
    variables = [chainer.Variable(array) for array in (x, W, b)]
    y = functions.convolution_2d(*variables, stride=stride, pad=pad)
    views = windows(np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)]), 3, stride)
    expected = np.einsum("nchwij,kcij->nkhw", views, W) + b[:, None, None]
    np.testing.assert_allclose(y.array, expected)
    y.grad = gy = random(*y.shape)
    y.backward()
    gW = np.einsum("nchwij,nkhw->kcij", views, gy)
    np.testing.assert_allclose(variables[1].grad, gW)
    np.testing.assert_allclose(variables[2].grad, gy.sum((0, 2, 3)))
    # y is linear in x, so x's gradient is the adjoint: <gx, x> = <gy, y - b>.
    np.testing.assert_allclose(
        np.vdot(variables[0].grad, x), np.vdot(gy, expected - b[:, None, None])
    )


@given(h=SIZES, w=SIZES, kernel=st.integers(1, 3), stride=st.integers(1, 3))
def test_pooling(h, w, kernel, stride):
    x = random(2, 3, h, w)
    views = windows(x, kernel, stride)
    maximum = functions.max_pooling_2d(x, kernel, stride, cover_all=False)
    np.testing.assert_array_equal(maximum.array, views.max((4, 5)))
    average = functions.average_pooling_2d(x, kernel, stride)
    np.testing.assert_allclose(average.array, views.mean((4, 5)))


def test_relu_matmul_and_mean_squared_error():
    a, b = chainer.Variable(random(3, 4)), chainer.Variable(random(4, 5))
    target = random(3, 5)
    loss = functions.mean_squared_error(functions.relu(functions.matmul(a, b)), target)
    product = a.array @ b.array
    difference = np.maximum(product, 0) - target
    np.testing.assert_allclose(loss.array, np.mean(difference**2))
    loss.backward()
    gy = 2 * difference * (product > 0) / target.size
    np.testing.assert_allclose(a.grad, gy @ b.array.T)
    np.testing.assert_allclose(b.grad, a.array.T @ gy)


def test_adam():
    link = chainer.Link()
    with link.init_scope():
        link.p = chainer.Parameter(random(5))
    p = link.p.array.copy()
    m, v = np.zeros((2, 5))
    optimizer = chainer.optimizers.Adam(alpha=0.1).setup(link)
    for t in range(1, 6):
        link.p.grad = g = random(5 + t)[:5]
        optimizer.update()
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        # The paper's second form, whose epsilon is not corrected for bias.
        p -= 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)
        np.testing.assert_allclose(link.p.array, p)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_python_scalars_do_not_promote(dtype):
    x = chainer.Variable(np.ones(3, dtype))
    for y in (
        2 * x,
        x + 1.5,
        x**2,
        1 / x,
        functions.sum(x),
        functions.mean(x),
        functions.softmax(x[None]),
    ):
        assert y.dtype == dtype
