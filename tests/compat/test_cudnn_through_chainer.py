"""Chainer's functions for a GPU, with a frontend's stand-in that computes in NumPy.

It sees what the real one sees: lengths, strides, and where the arrays lie.
"""

from __future__ import annotations

import ctypes

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends import cuda
from chainer.functions.connection import (
    convolution_2d,
    convolution_nd,
    deconvolution_2d,
    deconvolution_nd,
)
from cudnn_stand_ins import Graph, array, random

from chainer_style.compat.cudnn import functions, library

TYPES = {"HALF": "float16", "FLOAT": "float32", "DOUBLE": "float64"}


def seen(tensor, pointer):
    """The array that a tensor describes."""
    dtype = np.dtype(TYPES[tensor.made["data_type"]])
    lengths, strides = tensor.made["dim"], tensor.made["stride"]
    count = 1 + sum((n - 1) * s for n, s in zip(lengths, strides, strict=True))
    bytes_there = (ctypes.c_char * (count * dtype.itemsize)).from_address(pointer)
    flat = np.frombuffer(bytes_there, dtype)
    return np.lib.stride_tricks.as_strided(
        flat, lengths, [s * dtype.itemsize for s in strides], writeable=True
    )


def execute(self, pointers, workspace, index, handle):
    arrays = {tensor: seen(tensor, pointer) for tensor, pointer in pointers.items()}
    operation, told = self.operation
    moved = {"pad": told["padding"], "stride": told["stride"]}
    moved = {k: tuple(v) for k, v in (moved | {"dilate": told["dilation"]}).items()}
    by_name = {n: arrays[t] for n, t in told.items() if not isinstance(t, list)}
    (result,) = (a for t, a in arrays.items() if t.made.get("output"))
    groups = {
        "fprop": lambda: by_name["image"].shape[1] // by_name["weight"].shape[1],
        "dgrad": lambda: result.shape[1] // by_name["filter"].shape[1],
        "wgrad": lambda: by_name["image"].shape[1] // result.shape[1],
    }[operation]()
    wide = {name: a.astype("float64") for name, a in by_name.items()}
    if operation == "fprop":
        found = F.convolution_nd(wide["image"], wide["weight"], groups=groups, **moved)
    elif operation == "dgrad":
        found = F.deconvolution_nd(
            wide["loss"],
            wide["filter"],
            outsize=result.shape[2:],
            groups=groups,
            **moved,
        )
    else:
        weight = chainer.Variable(np.zeros(result.shape))
        y = F.convolution_nd(wide["image"], weight, groups=groups, **moved)
        y.grad = wide["loss"]
        y.backward()
        found = weight.grad_var
    result[...] = found.array


@pytest.fixture
def computing(stand_ins, monkeypatch):
    """Chainer believes in CuPy 14 and in cuDNN."""
    monkeypatch.setattr(Graph, "execute_plan_at_index", execute)
    monkeypatch.setattr(cuda, "cupy", stand_ins.cupy)
    monkeypatch.setattr(cuda, "cudnn", functions, raising=False)
    monkeypatch.setattr(cuda, "_cupy_major", 14)
    monkeypatch.setattr(cuda, "_cudnn_version", 92801)
    with_cudnn = type("cuda", (), {"cudnn": library})
    monkeypatch.setattr(cuda, "cuda", with_cudnn, raising=False)
    for module in (convolution_2d, deconvolution_2d):
        monkeypatch.setattr(module, "_cudnn_version", 92801, raising=False)
    return stand_ins


TOLD = [
    {},
    {"pad": 1},
    {"stride": 2, "pad": 1},
    {"pad": (2, 1), "stride": (1, 2), "dilate": 2},
    {"groups": 2, "pad": 1},
    {"groups": 4, "stride": 2},
]


def arguments(told):
    more = {k: v for k, v in told.items() if k in ("groups", "dilate")}
    return (told.get("stride", 1), told.get("pad", 0)), more


def check(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("told", TOLD, ids=str)
@pytest.mark.parametrize("bias", [False, True])
def test_convolution_2d(computing, told, bias):
    x, w = random((2, 4, 9, 10)), random((8, 4 // told.get("groups", 1), 3, 3))
    inputs = (x, w, random((8,))) if bias else (x, w)
    expected = F.convolution_2d(*map(np.asarray, inputs), **told)
    moved, more = arguments(told)
    node = convolution_2d.Convolution2DFunction(*moved, **more)
    node._input_layouts = (None,) * len(inputs)
    (y,) = node.forward_gpu(inputs)
    assert computing.frontend.graphs
    check(y, expected.array)


@pytest.mark.parametrize("told", TOLD, ids=str)
@pytest.mark.parametrize("bias", [False, True])
def test_deconvolution_2d(computing, told, bias):
    groups = told.get("groups", 1)
    x, w = random((2, 8, 5, 6)), random((8, 4 // groups, 3, 3))
    inputs = (x, w, random((4,))) if bias else (x, w)
    expected = F.deconvolution_2d(*map(np.asarray, inputs), **told)
    moved, more = arguments(told)
    node = deconvolution_2d.Deconvolution2DFunction(*moved, None, **more)
    node._input_layouts = (None,) * len(inputs)
    (y,) = node.forward_gpu(inputs)
    assert computing.frontend.graphs
    check(y, expected.array)


@pytest.mark.parametrize("told", TOLD, ids=str)
def test_gradient_of_the_filter(computing, told):
    x = chainer.Variable(np.asarray(random((2, 4, 9, 10))))
    w = chainer.Variable(np.asarray(random((8, 4 // told.get("groups", 1), 3, 3))))
    y = F.convolution_2d(x, w, **told)
    gy = random(y.shape)
    y.grad = np.asarray(gy)
    y.backward()
    moved, more = arguments(told)
    node = convolution_2d.Convolution2DFunction(*moved, **more)
    grad = convolution_2d.Convolution2DGradW(node, w.shape, w.dtype, None)
    grad._input_layouts = (None, None)
    (found,) = grad.forward_gpu((array(x.array), gy))
    assert computing.frontend.graphs
    check(found, w.grad)


@pytest.mark.parametrize(
    "told",
    [{}, {"pad": 1, "stride": 2}, {"groups": 2}, {"dilate": 2, "pad": 2}],
    ids=str,
)
def test_three_axes(computing, told):
    groups, stride = told.get("groups", 1), told.get("stride", 1)
    pad, dilate = told.get("pad", 0), told.get("dilate", 1)
    x = chainer.Variable(np.asarray(random((2, 4, 6, 7, 5))))
    w = chainer.Variable(np.asarray(random((6, 4 // groups, 3, 2, 3))))
    b = random((6,))
    y = F.convolution_nd(x, w, np.asarray(b), **told)
    gy = random(y.shape)
    y.grad = np.asarray(gy)
    y.backward()
    arguments = 3, stride, pad
    node = convolution_nd.ConvolutionND(*arguments, dilate=dilate, groups=groups)
    check(node._forward_cudnn(array(x.array), array(w.array), b)[0], y.array)
    node.inputs = x.node, w.node
    grad = convolution_nd.ConvolutionNDGradW(node)
    check(grad._forward_cudnn(array(x.array), gy)[0], w.grad)
    back = deconvolution_nd.DeconvolutionND(
        *arguments, x.shape[2:], dilate=dilate, groups=groups
    )
    check(back._forward_cudnn(gy, array(w.array), None)[0], x.grad)
    assert len(computing.frontend.graphs) == 3


@pytest.mark.parametrize("told", TOLD, ids=str)
def test_channels_last(computing, told):
    groups = told.get("groups", 1)
    x, w = random((2, 4, 9, 10)), random((8, 4 // groups, 3, 3))
    expected = F.convolution_2d(np.asarray(x), np.asarray(w), **told).array
    x, w = (array(np.ascontiguousarray(np.moveaxis(a, 1, -1))) for a in (x, w))
    y = array(np.zeros((2, *expected.shape[2:], 8), "float32"))
    moved = [
        tuple(map(int, np.broadcast_to(told.get(name, default), 2)))
        for name, default in (("pad", 0), ("stride", 1), ("dilate", 1))
    ]
    functions.convolution_forward(
        x,
        w,
        None,
        y,
        *moved,
        groups,
        auto_tune=False,
        tensor_core="auto",
        d_layout=library.CUDNN_TENSOR_NHWC,
        w_layout=library.CUDNN_TENSOR_NHWC,
    )
    check(np.moveaxis(y, -1, 1), expected)
