"""Activations, pooling and softmax: what they tell cuDNN's C functions."""

from __future__ import annotations

import ctypes
import math
import threading

import numpy as np
import pytest
from cudnn_stand_ins import HANDLE, STREAM, array, random
from hypothesis import given
from hypothesis import strategies as st

from chainer_style.compat.cudnn import _descriptors, _elementary, _state, functions
from chainer_style.compat.cudnn import library as numbers
from chainer_style.compat.cudnn._status import CuDNNError

shapes = st.lists(st.integers(1, 5), min_size=1, max_size=5).map(tuple)


@pytest.fixture
def library(stand_ins):
    return stand_ins.library


def address(a):
    return a.data.ptr


def descriptors(library):
    """What each descriptor, by its number, was set to."""
    return {call[1]: call[2:] for call in library.calls if "Set" in call[0]}


def test_activation_forward(library):
    x = random((2, 3, 5))
    y = functions.activation_forward(x, numbers.CUDNN_ACTIVATION_CLIPPED_RELU, 20.0)
    handle, how, one, of_x, at_x, zero, of_y, at_y = library.last(
        "cudnnActivationForward"
    )
    assert (handle, one, zero) == (HANDLE + 1, 1.0, 0.0)
    assert (at_x, at_y) == (address(x), address(y))
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    told = descriptors(library)
    assert told[of_x] == told[of_y] == (0, 4, (2, 15, 1, 1), (15, 1, 1, 1))
    assert told[how] == (numbers.CUDNN_ACTIVATION_CLIPPED_RELU, 0, 20.0)


def test_activation_backward(library):
    x, y, gy = (array(np.full((4, 6), value, "float64")) for value in range(3))
    gx = functions.activation_backward(x, y, gy, numbers.CUDNN_ACTIVATION_TANH)
    called = library.last("cudnnActivationBackward")
    where = [address(a) for a in (y, gy, x, gx)]
    assert [called[i] for i in (4, 6, 8, 11)] == where
    assert called[2] == 1.0
    told = descriptors(library)
    assert told[called[3]] == (1, 4, (4, 6, 1, 1), (6, 1, 1, 1))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_factors_are_double_for_double_only(dtype):
    one, zero = _descriptors.one_and_zero(np.dtype(dtype))
    real = ctypes.c_double if dtype == "float64" else ctypes.c_float
    assert type(one._obj) is type(zero._obj) is real
    assert (one._obj.value, zero._obj.value) == (1, 0)


def test_other_types_are_refused(library):
    with pytest.raises(TypeError, match="int32 is not supported in cuDNN"):
        functions.activation_forward(array(np.int32([[1]])), 0)


@pytest.mark.parametrize(
    ("ndim", "mode"),
    [
        (2, numbers.CUDNN_POOLING_MAX),
        (2, numbers.CUDNN_POOLING_MAX_DETERMINISTIC),
        (3, numbers.CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING),
    ],
)
def test_pooling_forward(library, ndim, mode):
    x, y = random((2, 3, *(7, 8, 9)[:ndim])), random((2, 3, *(4, 4, 5)[:ndim]))
    window, stride, pad = (3, 4, 5)[:ndim], (2, 2, 2)[:ndim], (1, 0, 1)[:ndim]
    assert functions.pooling_forward(x, y, window, stride, pad, mode) is y
    handle, how, one, of_x, at_x, zero, of_y, at_y = library.last("cudnnPoolingForward")
    assert (handle, one, zero) == (HANDLE + 1, 1.0, 0.0)
    assert (at_x, at_y) == (address(x), address(y))
    told = descriptors(library)
    # cuDNN wants the padding before the stride.
    assert told[how] == (mode, 0, ndim, window, pad, stride)
    assert told[of_x] == (0, ndim + 2, x.shape, _descriptors.packed(x.shape))
    assert told[of_y] == (0, ndim + 2, y.shape, _descriptors.packed(y.shape))


def test_pooling_backward(library):
    x, y, gy = random((1, 2, 6, 6)), random((1, 2, 3, 3)), random((1, 2, 3, 3))
    gx = functions.pooling_backward(x, y, gy, (2, 2), (2, 2), (0, 0), 1)
    called = library.last("cudnnPoolingBackward")
    assert [called[i] for i in (4, 6, 8, 11)] == [address(a) for a in (y, gy, x, gx)]
    assert called[3] == called[5] != called[7] == called[10]
    assert gx.shape == x.shape


def test_pooling_of_unequal_numbers_of_axes(library):
    x = random((1, 1, 4, 4))
    with pytest.raises(ValueError, match="same length"):
        functions.pooling_forward(x, x, (2, 2), (2,), (0, 0), 0)


def test_pooling_into_something_else(library):
    x = random((1, 1, 4, 4))
    with pytest.raises(ValueError, match="c-contiguous y only"):
        functions.pooling_forward(x, x.transpose(), (1, 1), (1, 1), (0, 0), 0)


def test_softmax(library):
    x = random((2, 3, 4, 5), "float16")
    y = functions.softmax_forward(x, 1, numbers.CUDNN_SOFTMAX_LOG)
    called = library.last("cudnnSoftmaxForward")
    assert called[1:4] == (2, numbers.CUDNN_SOFTMAX_MODE_CHANNEL, 1.0)
    assert (called[5], called[8]) == (address(x), address(y))
    assert descriptors(library)[called[4]] == (2, 4, (2, 3, 20, 1), (60, 20, 1, 1))
    gx = functions.softmax_backward(y, x, -1, numbers.CUDNN_SOFTMAX_ACCURATE)
    called = library.last("cudnnSoftmaxBackward")
    assert called[1] == 1
    assert [called[i] for i in (5, 7, 10)] == [address(a) for a in (y, x, gx)]
    assert descriptors(library)[called[4]] == (2, 4, (24, 5, 1, 1), (5, 1, 1, 1))


@given(shapes, st.data())
def test_lengths_around_an_axis(shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    before, length, after, one = _elementary.around(shape, axis)
    assert (length, one) == (shape[axis], 1)
    values = np.arange(math.prod(shape)).reshape(shape)
    expected = values.sum(axis=axis).ravel()
    assert (values.reshape(before, length, after).sum(axis=1).ravel() == expected).all()


@given(shapes)
def test_packed_is_what_numpy_has(shape):
    strides = np.empty(shape, "u1").strides
    assert _descriptors.packed(shape) == strides


def test_arrays_in_another_order_are_copied(library):
    x = array(np.asfortranarray(np.ones((3, 4), "float32")))
    functions.activation_forward(x, 1)
    assert library.last("cudnnActivationForward")[4] != address(x)


def test_empty_arrays_are_not_told_of(library):
    nothing = array(np.empty((0, 3), "float32"))
    assert functions.activation_forward(nothing, 1).shape == (0, 3)
    assert functions.activation_backward(nothing, nothing, nothing, 1).shape == (0, 3)
    assert functions.softmax_forward(nothing, 1, 1).shape == (0, 3)
    assert functions.softmax_backward(nothing, nothing, 1, 1).shape == (0, 3)
    assert functions.pooling_forward(nothing, nothing, (1,), (1,), (0,), 1).size == 0
    assert library.calls == []


def test_a_failure_names_the_function_and_the_status(library):
    library.fails["cudnnPoolingForward"] = 3000
    x = random((1, 1, 4, 4))
    with pytest.raises(
        CuDNNError,
        match=r"^cudnnPoolingForward: CUDNN_STATUS_NOT_SUPPORTED \(because\)$",
    ) as caught:
        functions.pooling_forward(x, x, (1, 1), (1, 1), (0, 0), 0)
    assert (caught.value.function, caught.value.status) == ("cudnnPoolingForward", 3000)
    assert isinstance(caught.value, RuntimeError)
    assert numbers.CuDNNError is CuDNNError


def test_descriptors_are_destroyed_also_after_a_failure(library):
    library.fails["cudnnActivationForward"] = 3000
    with pytest.raises(CuDNNError):
        functions.activation_forward(random((2, 2)), 1)
    names = [call[0] for call in library.calls]
    for kind in ("Tensor", "Activation"):
        made = names.count(f"cudnnCreate{kind}Descriptor")
        assert names.count(f"cudnnDestroy{kind}Descriptor") == made == 1


def test_a_handle_per_thread_and_device(stand_ins):
    handles = []
    for device in (0, 1, 0):
        stand_ins.cupy.device = device
        handles.append(functions.get_handle())
    thread = threading.Thread(target=lambda: handles.append(functions.get_handle()))
    thread.start()
    thread.join()
    first, second, again, of_thread = handles
    assert first == again
    assert len({first, second, of_thread}) == 3
    assert stand_ins.frontend.streams == [(handle, STREAM) for handle in handles]


def test_workspace_is_eight_mebibytes_unless_set(stand_ins):
    assert functions.get_max_workspace_size() == 8 * 1024 * 1024
    functions.set_max_workspace_size(108)
    assert functions.get_max_workspace_size() == _state.get_max_workspace_size() == 108


@pytest.mark.parametrize(
    ("dtype", "capability", "expected"),
    [("e", "90", True), ("e", "120", True), ("e", "61", False), ("f", "90", False)],
)
def test_tensor_cores_are_for_float16(stand_ins, dtype, capability, expected):
    device = type("Device", (), {"compute_capability": capability})
    stand_ins.cupy.cuda.Device = device
    assert functions.is_tensor_core_available(np.dtype(dtype)) is expected
