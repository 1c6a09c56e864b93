"""cuDNN's descriptions of arrays and operations, which live for one call."""

from __future__ import annotations

import contextlib
import ctypes
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainer_style.compat.cudnn import library
from chainer_style.compat.cudnn._status import call

_TYPES = {
    "float32": library.CUDNN_DATA_FLOAT,
    "float64": library.CUDNN_DATA_DOUBLE,
    "float16": library.CUDNN_DATA_HALF,
}


def data_type(dtype: Any) -> int:
    """Return cuDNN's number of a floating type.

    Raises
    ------
    TypeError
        cuDNN has no such type.
    """
    try:
        return _TYPES[np.dtype(dtype).name]
    except KeyError:
        raise TypeError(f"Dtype {dtype} is not supported in cuDNN") from None


def packed(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of a C-contiguous array, counted in elements."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def one_and_zero(dtype: Any) -> tuple[Any, Any]:
    """Return the factors of the result and of what was in its place before."""
    real = ctypes.c_double if np.dtype(dtype) == np.float64 else ctypes.c_float
    return ctypes.byref(real(1)), ctypes.byref(real(0))


def pointer(array: Any) -> ctypes.c_void_p:
    """Return where an array lies."""
    return ctypes.c_void_p(array.data.ptr)


def integers(values: Sequence[int]) -> Any:
    """Return an array of C's."""
    return (ctypes.c_int * len(values))(*values)


@contextlib.contextmanager
def tensor(shape: Sequence[int], dtype: Any) -> Iterator[ctypes.c_void_p]:
    """Describe a C-contiguous array of this shape."""
    with _descriptor("Tensor") as made:
        call(
            "cudnnSetTensorNdDescriptor",
            made,
            ctypes.c_int(data_type(dtype)),
            ctypes.c_int(len(shape)),
            integers(shape),
            integers(packed(shape)),
        )
        yield made


@contextlib.contextmanager
def filters(shape: Sequence[int], dtype: Any) -> Iterator[ctypes.c_void_p]:
    """Describe C-contiguous filters of this shape, channels first."""
    with _descriptor("Filter") as made:
        call(
            "cudnnSetFilterNdDescriptor",
            made,
            ctypes.c_int(data_type(dtype)),
            ctypes.c_int(library.CUDNN_TENSOR_NCHW),
            ctypes.c_int(len(shape)),
            integers(shape),
        )
        yield made


@contextlib.contextmanager
def convolution(
    pad: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    dtype: Any,
) -> Iterator[ctypes.c_void_p]:
    """Describe how filters are moved, and the type in which sums are made."""
    with _descriptor("Convolution") as made:
        call(
            "cudnnSetConvolutionNdDescriptor",
            made,
            ctypes.c_int(len(pad)),
            integers(pad),
            integers(stride),
            integers(dilation),
            ctypes.c_int(library.CUDNN_CROSS_CORRELATION),
            ctypes.c_int(data_type(dtype)),
        )
        call("cudnnSetConvolutionGroupCount", made, ctypes.c_int(groups))
        yield made


@contextlib.contextmanager
def activation(mode: int, coefficient: float) -> Iterator[ctypes.c_void_p]:
    """Describe an activation; the coefficient is where a clipped ReLU is clipped."""
    with _descriptor("Activation") as made:
        call(
            "cudnnSetActivationDescriptor",
            made,
            ctypes.c_int(mode),
            ctypes.c_int(library.CUDNN_NOT_PROPAGATE_NAN),
            ctypes.c_double(coefficient),
        )
        yield made


@contextlib.contextmanager
def pooling(
    window: Sequence[int], stride: Sequence[int], pad: Sequence[int], mode: int
) -> Iterator[ctypes.c_void_p]:
    """Describe a pooling."""
    if not len(window) == len(stride) == len(pad):
        raise ValueError("ksize, stride, and pad must be of same length")
    with _descriptor("Pooling") as made:
        call(
            "cudnnSetPoolingNdDescriptor",
            made,
            ctypes.c_int(mode),
            ctypes.c_int(library.CUDNN_NOT_PROPAGATE_NAN),
            ctypes.c_int(len(window)),
            integers(window),
            integers(pad),
            integers(stride),
        )
        yield made


@contextlib.contextmanager
def _descriptor(kind: str) -> Iterator[ctypes.c_void_p]:
    made = ctypes.c_void_p()
    call(f"cudnnCreate{kind}Descriptor", ctypes.byref(made))
    try:
        yield made
    finally:
        call(f"cudnnDestroy{kind}Descriptor", made)
