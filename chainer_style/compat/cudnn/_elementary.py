"""Activations and softmax, on the C functions that cuDNN has had from its beginning."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from typing import Any

from chainer_style.compat.cudnn import _descriptors as describe
from chainer_style.compat.cudnn import library
from chainer_style.compat.cudnn._state import get_handle
from chainer_style.compat.cudnn._status import call


def activation_forward(x: Any, mode: int, coef: float = 0.0) -> Any:
    """Return an activation of `x`, elementwise."""
    import cupy

    x = cupy.ascontiguousarray(x)
    y = cupy.empty(x.shape, x.dtype)
    if not x.size:
        return y
    one, zero = describe.one_and_zero(x.dtype)
    with (
        describe.tensor(_four(x.shape), x.dtype) as of_all,
        describe.activation(mode, coef) as operation,
    ):
        call(
            "cudnnActivationForward",
            ctypes.c_void_p(get_handle()),
            operation,
            one,
            of_all,
            describe.pointer(x),
            zero,
            of_all,
            describe.pointer(y),
        )
    return y


def activation_backward(x: Any, y: Any, gy: Any, mode: int, coef: float = 0.0) -> Any:
    """Return the gradient of `x`, given that of `y`."""
    import cupy

    x, y, gy = map(cupy.ascontiguousarray, (x, y, gy))
    gx = cupy.empty(x.shape, x.dtype)
    if not x.size:
        return gx
    one, zero = describe.one_and_zero(x.dtype)
    with (
        describe.tensor(_four(y.shape), y.dtype) as of_all,
        describe.activation(mode, coef) as operation,
    ):
        call(
            "cudnnActivationBackward",
            ctypes.c_void_p(get_handle()),
            operation,
            one,
            of_all,
            describe.pointer(y),
            of_all,
            describe.pointer(gy),
            of_all,
            describe.pointer(x),
            zero,
            of_all,
            describe.pointer(gx),
        )
    return gx


def softmax_forward(x: Any, axis: int, algorithm: int) -> Any:
    """Return the softmax of `x` along an axis, or its logarithm."""
    import cupy

    x = cupy.ascontiguousarray(x)
    y = cupy.empty(x.shape, x.dtype)
    if not x.size:
        return y
    one, zero = describe.one_and_zero(x.dtype)
    with describe.tensor(around(x.shape, axis), x.dtype) as of_all:
        call(
            "cudnnSoftmaxForward",
            ctypes.c_void_p(get_handle()),
            ctypes.c_int(algorithm),
            ctypes.c_int(library.CUDNN_SOFTMAX_MODE_CHANNEL),
            one,
            of_all,
            describe.pointer(x),
            zero,
            of_all,
            describe.pointer(y),
        )
    return y


def softmax_backward(y: Any, gy: Any, axis: int, algorithm: int) -> Any:
    """Return the gradient of what a softmax was taken of."""
    import cupy

    y, gy = map(cupy.ascontiguousarray, (y, gy))
    gx = cupy.empty(y.shape, y.dtype)
    if not y.size:
        return gx
    one, zero = describe.one_and_zero(y.dtype)
    with describe.tensor(around(y.shape, axis), y.dtype) as of_all:
        call(
            "cudnnSoftmaxBackward",
            ctypes.c_void_p(get_handle()),
            ctypes.c_int(algorithm),
            ctypes.c_int(library.CUDNN_SOFTMAX_MODE_CHANNEL),
            one,
            of_all,
            describe.pointer(y),
            of_all,
            describe.pointer(gy),
            zero,
            of_all,
            describe.pointer(gx),
        )
    return gx


def _four(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """Return four lengths, cuDNN's fewest, of as many elements in the same order."""
    first = shape[0] if shape else 1
    return first, math.prod(shape) // first, 1, 1


def around(shape: Sequence[int], axis: int) -> tuple[int, int, int, int]:
    """Return lengths of the same order in which the axis is the second."""
    axis %= len(shape)
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]), 1
