"""Pooling, on cuDNN's C functions: the frontend has no node for it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from chainer_style.compat.cudnn import _descriptors as describe
from chainer_style.compat.cudnn._state import get_handle
from chainer_style.compat.cudnn._status import call


def pooling_forward(
    x: Any,
    y: Any,
    ksize: Sequence[int],
    stride: Sequence[int],
    pad: Sequence[int],
    mode: int,
) -> Any:
    """Pool `x` into `y`, and return that."""
    import cupy

    if not y.flags.c_contiguous:
        raise ValueError("pooling_forward supports c-contiguous y only")
    x = cupy.ascontiguousarray(x)
    if not y.size:
        return y
    one, zero = describe.one_and_zero(x.dtype)
    with (
        describe.tensor(x.shape, x.dtype) as of_x,
        describe.tensor(y.shape, y.dtype) as of_y,
        describe.pooling(ksize, stride, pad, mode) as operation,
    ):
        call(
            "cudnnPoolingForward",
            ctypes.c_void_p(get_handle()),
            operation,
            one,
            of_x,
            describe.pointer(x),
            zero,
            of_y,
            describe.pointer(y),
        )
    return y


def pooling_backward(
    x: Any,
    y: Any,
    gy: Any,
    ksize: Sequence[int],
    stride: Sequence[int],
    pad: Sequence[int],
    mode: int,
) -> Any:
    """Return the gradient of `x`, given that of `y`."""
    import cupy

    x, y, gy = map(cupy.ascontiguousarray, (x, y, gy))
    gx = cupy.empty(x.shape, x.dtype)
    if not x.size:
        return gx
    one, zero = describe.one_and_zero(x.dtype)
    with (
        describe.tensor(x.shape, x.dtype) as of_x,
        describe.tensor(y.shape, y.dtype) as of_y,
        describe.pooling(ksize, stride, pad, mode) as operation,
    ):
        call(
            "cudnnPoolingBackward",
            ctypes.c_void_p(get_handle()),
            operation,
            one,
            of_y,
            describe.pointer(y),
            of_y,
            describe.pointer(gy),
            of_x,
            describe.pointer(x),
            zero,
            of_x,
            describe.pointer(gx),
        )
    return gx
