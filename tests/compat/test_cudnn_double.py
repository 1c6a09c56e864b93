"""Convolutions in double precision: what cuDNN's older functions are called with."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from cudnn_stand_ins import HANDLE, WORKSPACE, random

from chainer_style.compat.cudnn import _convolution, _descriptors
from chainer_style.compat.cudnn import library as numbers

MOVED = (2, 1), (2, 1), (1, 3), 2
"""Padding, stride, dilation and groups."""

SHAPES = {"x": (2, 4, 9, 8), "W": (6, 2, 3, 3), "y": (2, 6, 6, 4)}


@pytest.fixture
def library(stand_ins):
    return stand_ins.library


@pytest.fixture
def arrays():
    return {name: random(shape, "float64") for name, shape in SHAPES.items()}


def forward(arrays, **more):
    given = (arrays["x"], arrays["W"], None, arrays["y"], *MOVED)
    _convolution.convolution_forward(*given, auto_tune=True, tensor_core="auto", **more)


def backward(kind, arrays, deterministic):
    x, W, y = arrays["x"], arrays["W"], arrays["y"]
    options = {"auto_tune": False, "tensor_core": "auto"}
    options["deterministic"] = deterministic
    if kind == "Data":
        given = (W, y, None, x, *MOVED)
        _convolution.convolution_backward_data(*given, **options)
    else:
        _convolution.convolution_backward_filter(x, y, W, *MOVED, **options)


def told(library):
    """What each descriptor, by its number, was set to."""
    return {
        call[1]: call[2:]
        for call in library.calls
        if "Set" in call[0] and "GroupCount" not in call[0]
    }


def where(arrays):
    return {name: array.data.ptr for name, array in arrays.items()}


def test_a_convolution(library, stand_ins, arrays):
    forward(arrays)
    found = library.last("cudnnConvolutionForward")
    (handle, one, of_x, at_x, of_W, at_W, how, *space, zero, of_y, at_y) = found
    assert (handle, one, zero) == (HANDLE + 1, 1.0, 0.0)
    assert space == [1, None, 0]
    assert {"x": at_x, "W": at_W, "y": at_y} == where(arrays)
    described = told(library)
    double = numbers.CUDNN_DATA_DOUBLE
    for name, of in (("x", of_x), ("y", of_y)):
        shape = SHAPES[name]
        assert described[of] == (double, 4, shape, _descriptors.packed(shape))
    assert described[of_W] == (double, numbers.CUDNN_TENSOR_NCHW, 4, SHAPES["W"])
    cross = numbers.CUDNN_CROSS_CORRELATION
    assert described[how] == (2, (2, 1), (2, 1), (1, 3), cross, double)
    assert library.last("cudnnSetConvolutionGroupCount") == (how, 2)
    assert not stand_ins.frontend.graphs


@pytest.mark.parametrize(("kind", "names"), [("Data", "Wyx"), ("Filter", "xyW")])
@pytest.mark.parametrize("deterministic", [False, True])
def test_gradients(library, arrays, kind, names, deterministic):
    backward(kind, arrays, deterministic)
    found = library.last(f"cudnnConvolutionBackward{kind}")
    assert [found[i] for i in (3, 5, 12)] == [where(arrays)[name] for name in names]
    assert found[7] == 1


def refusing(library, function, refused, needed):
    """Let some algorithms be refused, and others need some memory."""

    def tell(*given):
        *_, number, size = given
        size._obj.value = needed
        return 3000 if number.value in refused else 0

    setattr(library, f"cudnnGetConvolution{function}WorkspaceSize", tell)


def test_the_first_algorithm_that_cudnn_knows(library, stand_ins, arrays):
    refusing(library, "Forward", {1}, 4096)
    forward(arrays)
    found = library.last("cudnnConvolutionForward")
    assert found[7:10] == (0, WORKSPACE, 4096)
    assert stand_ins.cupy.allocated == [4096]


@pytest.mark.parametrize(
    ("refused", "needed", "said"),
    [({0, 1, 2}, 0, "because"), (set(), (8 << 20) + 1, "none fits")],
)
def test_where_there_is_none(library, arrays, refused, needed, said):
    refusing(library, "Forward", refused, needed)
    with pytest.raises(RuntimeError, match=f"no algorithm .*{said}.*'never'"):
        forward(arrays)


def test_what_has_to_be_the_same_each_time(library, arrays):
    refusing(library, "BackwardData", {1}, 0)
    backward("Data", arrays, deterministic=False)
    assert library.last("cudnnConvolutionBackwardData")[7] == 0
    with pytest.raises(RuntimeError, match="no algorithm"):
        backward("Data", arrays, deterministic=True)


def test_channels_last(library, stand_ins, arrays):
    stand_ins.cupy.moveaxis = lambda a, source, to: np.moveaxis(a, source, to)
    moved = {
        name: stand_ins.cupy.ascontiguousarray(np.moveaxis(array, 1, -1))
        for name, array in arrays.items()
    }

    def fill(*given):
        count = int(np.prod(SHAPES["y"]))
        there = (ctypes.c_double * count).from_address(given[12].value)
        there[:] = np.arange(count, dtype=float)
        return 0

    library.cudnnConvolutionForward = fill
    last = numbers.CUDNN_TENSOR_NHWC
    forward(moved, d_layout=last, w_layout=last)
    expected = np.arange(np.prod(SHAPES["y"])).reshape(SHAPES["y"])
    np.testing.assert_array_equal(np.moveaxis(moved["y"], -1, 1), expected)
