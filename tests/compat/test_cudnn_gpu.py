"""Chainer with cuDNN on a GPU against NumPy in float64, and what its settings do.

Written without a GPU: where a test fails, doubt the test as well.
"""

from __future__ import annotations

import contextlib
import threading

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends import cuda

from chainer_style.compat.cudnn import _elementary, _plans, _pooling, functions
from chainer_style.engines import devices
from chainer_style.engines.base import Device

pytestmark = pytest.mark.gpu

TOLERANCES = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-12}
"""Of the largest element. Sums of thousands of float32 numbers are as good as that."""

DTYPES = tuple(TOLERANCES)


@pytest.fixture
def cupy():
    """CuPy, where Chainer has cuDNN; with the settings as they were, afterwards."""
    if missing := devices.obstacle(Device(0)):
        pytest.skip(f"{missing.reason}: {missing.cause}")
    before = cuda.get_max_workspace_size()
    yield cuda.cupy
    cuda.set_max_workspace_size(before)


@pytest.fixture
def anew(cupy):
    """CuPy 14; no plan is known."""
    if cuda._cupy_major < 14:
        pytest.skip("needs CuPy 14")
    _plans.forget()
    return cupy


@pytest.fixture
def called(anew, monkeypatch):
    """The names of cuDNN's own C functions that are called."""
    names = []
    for module in (_elementary, _pooling):

        def call(name, *arguments, original=module.call):
            names.append(name)
            original(name, *arguments)

        monkeypatch.setattr(module, "call", call)
    return names


def made(dtype, *shapes):
    random = np.random.RandomState(0)
    return [random.uniform(-1, 1, shape).astype(dtype) for shape in shapes]


def outcome(xp, function, arrays, **settings):
    """Return what a function gives and the gradient of each input, on the CPU."""
    inputs = [chainer.Variable(xp.asarray(array)) for array in arrays]
    with contextlib.ExitStack() as stack:
        for name, value in {"use_cudnn": "always", **settings}.items():
            stack.enter_context(chainer.using_config(name, value))
        y = function(*inputs)
        grad = np.random.RandomState(1).uniform(-1, 1, y.shape)
        # As both have it: float16 would round it.
        y.grad = xp.asarray(grad.astype("float16").astype(y.dtype))
        y.backward()
    found = [y.array, *(x.grad for x in inputs)]
    return [chainer.backends.cuda.to_cpu(array) for array in found]


def compare(xp, function, arrays, tolerance=None, **settings):
    """Compare a function's value and gradients with NumPy's in float64."""
    dtype = arrays[0].dtype.name
    expected = outcome(np, function, [array.astype("float64") for array in arrays])
    found = outcome(xp, function, arrays, **settings)
    for own, right in zip(found, expected, strict=True):
        assert own.dtype == dtype
        assert own.shape == right.shape
        error = abs(own.astype("float64") - right).max() / abs(right).max()
        assert error < (tolerance or TOLERANCES[dtype])


CONVOLUTIONS = {
    # channels, filters, lengths, window, then what Chainer is told
    "vgg": (16, 24, (17, 23), (3, 3), {"pad": 1}),
    "first layer": (3, 32, (31, 30), (3, 3), {"pad": 1}),
    "stride": (3, 20, (35, 39), (11, 11), {"stride": 4}),
    "one by one": (30, 22, (13, 11), (1, 1), {}),
    "oblong": (5, 7, (19, 14), (3, 5), {"stride": (2, 1), "pad": (0, 2)}),
    "dilated": (6, 8, (21, 18), (3, 3), {"pad": 2, "dilate": 2}),
    "groups": (12, 18, (15, 13), (5, 5), {"pad": 2, "groups": 3}),
    "depthwise": (8, 8, (15, 13), (3, 3), {"pad": 1, "groups": 8}),
    "everything": (
        8,
        12,
        (22, 19),
        (3, 3),
        {"stride": 2, "pad": (2, 1), "dilate": 2, "groups": 4},
    ),
}


def arrays_of(name, dtype):
    channels, filters, lengths, window, told = CONVOLUTIONS[name]
    groups = told.get("groups", 1)
    shapes = (2, channels, *lengths), (filters, channels // groups, *window), (filters,)
    return made(dtype, *shapes), told


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution_2d(cupy, name, dtype):
    arrays, told = arrays_of(name, dtype)
    compare(cupy, lambda x, W, b: F.convolution_2d(x, W, b, **told), arrays)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_deconvolution_2d(cupy, name, dtype):
    channels, filters, _, window, told = CONVOLUTIONS[name]
    groups = told.get("groups", 1)
    arrays = made(
        dtype,
        (2, filters, 7, 6),
        (filters, channels // groups, *window),
        (channels,),
    )
    compare(cupy, lambda x, W, b: F.deconvolution_2d(x, W, b, **told), arrays)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "told",
    [{}, {"stride": 2, "pad": 1}, {"groups": 2}, {"pad": 2, "dilate": 2}],
    ids=str,
)
def test_three_axes(cupy, told, dtype):
    groups = told.get("groups", 1)
    arrays = made(dtype, (2, 4, 9, 8, 7), (6, 4 // groups, 3, 3, 2), (6,))
    compare(cupy, lambda x, W, b: F.convolution_nd(x, W, b, **told), arrays)
    arrays = made(dtype, (2, 6, 4, 5, 6), (6, 4 // groups, 3, 3, 2), (4,))
    compare(cupy, lambda x, W, b: F.deconvolution_nd(x, W, b, **told), arrays)


@pytest.mark.parametrize("name", ["vgg", "everything"])
@pytest.mark.parametrize("deterministic", [False, True])
def test_settings_in_double_precision(anew, name, deterministic):
    arrays, told = arrays_of(name, "float64")
    settings = {"autotune": True, "cudnn_deterministic": deterministic}
    compare(anew, lambda x, W, b: F.convolution_2d(x, W, b, **told), arrays, **settings)
    assert not _plans.known()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_channels_last(anew, name, dtype):
    (x, w, _), told = arrays_of(name, dtype)
    pairs = [np.broadcast_to(told.get(k, d), 2) for k, d in _MOVED.items()]
    moved = *(tuple(map(int, pair)) for pair in pairs), told.get("groups", 1)
    y = F.convolution_2d(*(a.astype("float64") for a in (x, w)), **told).array
    (gy,) = made(dtype, y.shape)
    options = {"auto_tune": False, "tensor_core": "auto"}
    results = []
    for order in (0, 1):
        x_, w_, y_, gy_ = (
            anew.ascontiguousarray(anew.asarray(np.moveaxis(a, 1, -1) if order else a))
            for a in (x, w, y.astype(dtype), gy)
        )
        layout = {"d_layout": order, "w_layout": order}
        out, gx, gw = (anew.full_like(a, 99) for a in (y_, x_, w_))
        functions.convolution_forward(x_, w_, None, out, *moved, **options, **layout)
        more = options | layout | {"deterministic": False}
        functions.convolution_backward_data(w_, gy_, None, gx, *moved, **more)
        functions.convolution_backward_filter(x_, gy_, gw, *moved, **more)
        results.append(
            [np.moveaxis(a.get(), -1, 1) if order else a.get() for a in (out, gx, gw)]
        )
    for first, last in zip(*results, strict=True):
        error = abs(first.astype("float64") - last).max() / abs(first).max()
        assert error < TOLERANCES[dtype]


_MOVED = {"pad": 0, "stride": 1, "dilate": 1}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cover_all", [False, True])
@pytest.mark.parametrize("pad", [0, 1])
def test_max_pooling(called, cover_all, pad, dtype):
    # Distinct numbers, so that each maximum is in one place; float16 has them.
    values = np.random.RandomState(0).permutation(2 * 3 * 14 * 12) / 64 - 8
    x = values.reshape(2, 3, 14, 12).astype(dtype)
    for deterministic in (False, True):
        compare(
            cuda.cupy,
            lambda x: F.max_pooling_2d(x, 3, 2, pad, cover_all=cover_all),
            [x],
            cudnn_deterministic=deterministic,
        )
    assert called.count("cudnnPoolingForward") == 2
    assert called.count("cudnnPoolingBackward") == 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_average_pooling(called, dtype):
    (x,) = made(dtype, (2, 3, 13, 10))
    compare(cuda.cupy, lambda x: F.average_pooling_2d(x, 3, 2, 1), [x])
    for value in (0, None):
        compare(
            cuda.cupy,
            lambda x, value=value: F.average_pooling_nd(x, 3, 2, 1, pad_value=value),
            [x],
        )
    assert called.count("cudnnPoolingForward") == 3


def test_pooling_over_three_axes(called):
    (x,) = made("float32", (2, 3, 9, 8, 7))
    compare(cuda.cupy, lambda x: F.max_pooling_nd(x, 2, 2, cover_all=False), [x])
    compare(cuda.cupy, lambda x: F.average_pooling_nd(x, 3, 2, 1), [x])
    assert called.count("cudnnPoolingBackward") == 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 5, 7, 9), (4, 6), (11,)])
@pytest.mark.parametrize(
    "function", [F.relu, F.sigmoid, F.tanh, F.clipped_relu], ids=lambda f: f.__name__
)
def test_activations(called, function, shape, dtype):
    (x,) = made(dtype, shape)
    x += np.where(x < 0, -0.01, 0.01).astype(dtype)  # not where a ReLU has its edge
    z = 0.5 if function is F.clipped_relu else None
    compare(cuda.cupy, lambda x: function(x, z) if z else function(x), [x])
    assert {"cudnnActivationForward", "cudnnActivationBackward"} <= set(called)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("function", [F.softmax, F.log_softmax])
def test_softmax(called, function, axis, dtype):
    (x,) = made(dtype, (5, 4, 3))
    compare(cuda.cupy, lambda x: function(x, axis=axis), [x])
    assert {"cudnnSoftmaxForward", "cudnnSoftmaxBackward"} <= set(called)


@pytest.mark.parametrize("name", ["vgg", "everything"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("core", ["auto", "never"])
def test_autotune(anew, name, dtype, core):
    arrays, told = arrays_of(name, dtype)
    for _ in range(2):
        compare(
            anew,
            lambda x, W, b: F.convolution_2d(x, W, b, **told),
            arrays,
            autotune=True,
            use_cudnn_tensor_core=core,
        )
    assert len(_plans.known()) == 3
    assert all(choice.tried for _, _, choice in _plans.known())


@pytest.mark.parametrize("autotune", [False, True])
@pytest.mark.parametrize("limit", [0, 108, 8 << 20, 1 << 30])
def test_workspace(anew, limit, autotune):
    cuda.set_max_workspace_size(limit)
    for name in ("vgg", "stride"):
        arrays, told = arrays_of(name, "float32")
        compare(
            anew,
            lambda x, W, b, told=told: F.convolution_2d(x, W, b, **told),
            arrays,
            autotune=autotune,
        )
    plans = list(_plans._plans.values())
    assert len(plans) == 6
    assert all(plan.workspace <= limit for plan in plans)


@pytest.mark.parametrize("autotune", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_deterministic(anew, dtype, autotune):
    arrays = made(dtype, (8, 32, 33, 31), (48, 32, 3, 3))
    settings = {"cudnn_deterministic": True, "autotune": autotune}
    results = [
        outcome(anew, lambda x, W: F.convolution_2d(x, W, pad=1), arrays, **settings)
        for _ in range(4)
    ]
    for again in results[1:]:
        for first, other in zip(results[0], again, strict=True):
            assert (first == other).all()
    assert len(_plans.known()) == 3
    assert all("NONDETERMINISTIC" in choice.unwanted for *_, choice in _plans.known())


def test_tensor_cores_may_round_float32_where_they_always_are(anew):
    arrays, told = arrays_of("vgg", "float32")

    def function(x, W, b):
        return F.convolution_2d(x, W, b, **told)

    compare(anew, function, arrays, 1e-2, use_cudnn_tensor_core="always")
    compare(anew, function, arrays, use_cudnn_tensor_core="auto")


def test_on_a_stream_of_its_own(cupy):
    arrays, told = arrays_of("vgg", "float32")
    with cupy.cuda.Stream(non_blocking=True):
        compare(cupy, lambda x, W, b: F.convolution_2d(x, W, b, **told), arrays)
        compare(cupy, lambda x: F.max_pooling_2d(F.relu(x), 2), arrays[:1])


def test_in_threads(cupy):
    failures = []

    def work(name):
        try:
            arrays, told = arrays_of(name, "float32")
            for _ in range(3):
                compare(cupy, lambda x, W, b: F.convolution_2d(x, W, b, **told), arrays)
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=work, args=(name,)) for name in [*CONVOLUTIONS] * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_on_the_last_device(cupy):
    last = cupy.cuda.runtime.getDeviceCount() - 1
    arrays, told = arrays_of("vgg", "float32")
    with cupy.cuda.Device(last):
        compare(cupy, lambda x, W, b: F.convolution_2d(x, W, b, **told), arrays)


def test_what_is_not_written_anew_is_computed_all_the_same(anew):
    x, gamma, beta = made("float32", (6, 4, 5, 3), (4,), (4,))
    compare(anew, F.batch_normalization, [x, gamma, beta], 1e-4)
    compare(
        anew, lambda *a: F.group_normalization(a[0], 2, *a[1:]), [x, gamma, beta], 1e-4
    )
    kept = F.dropout(anew.ones((100, 100), "float32"), 0.25).array
    assert 0.7 < float((kept > 0).mean()) < 0.8
    (theta,) = made("float32", (6, 2, 3))
    grid = F.spatial_transformer_grid(anew.asarray(theta), (5, 3))
    assert F.spatial_transformer_sampler(anew.asarray(x), grid).shape == x.shape
    rnn = chainer.links.NStepLSTM(1, 3, 2, 0.5)
    rnn.to_device("@cupy:0")
    _, _, ys = rnn(None, None, [anew.ones((4, 3), "float32")] * 2)
    assert [y.shape for y in ys] == [(4, 2), (4, 2)]


def test_an_impossible_limit_is_told(anew, monkeypatch):
    monkeypatch.setattr(_plans, "usable_plans", lambda graph, choice, said: iter(()))
    arrays, told = arrays_of("vgg", "float32")
    with pytest.raises(RuntimeError, match="set_max_workspace_size"):
        outcome(anew, lambda x, W, b: F.convolution_2d(x, W, b, **told), arrays)
