"""What is told to NVIDIA's frontend of a convolution, and which algorithms are out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from chainer.utils import conv
from cudnn_stand_ins import array
from hypothesis import given
from hypothesis import strategies as st

from chainer_style.compat.cudnn import _convolution, _graphs, _libraries
from chainer_style.compat.cudnn._graphs import Layout, graph_of, unwanted_notes

NCHW, NHWC = 0, 1
NARROW = ("TENSOR_CORE", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION")

shapes = st.lists(st.integers(1, 5), min_size=4, max_size=5).map(tuple)


@given(shapes, st.sampled_from([NCHW, NHWC]))
def test_layout_finds_each_element(shape, order):
    values = np.arange(math.prod(shape)).reshape(shape)
    layout = Layout.of(shape, order)
    seen = np.lib.stride_tricks.as_strided(
        values, layout.lengths, [8 * stride for stride in layout.strides]
    )
    expected = values if order == NCHW else np.moveaxis(values, -1, 1)
    assert (seen == expected).all()


def test_unknown_order():
    with pytest.raises(ValueError, match="unknown cudnnTensorFormat: 2"):
        Layout.of((1, 2, 3, 4), 2)


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize(
    ("dtype", "tensor_core", "expected"),
    [
        ("float16", "auto", ()),
        ("float32", "auto", NARROW),
        ("float64", "auto", NARROW),
        ("float16", "never", NARROW),
        ("float32", "never", NARROW),
        ("float32", "always", ()),
        ("float16", "always", ()),
    ],
)
def test_what_settings_rule_out(dtype, tensor_core, expected, deterministic):
    notes = unwanted_notes(dtype, deterministic=deterministic, tensor_core=tensor_core)
    assert notes == expected + ("NONDETERMINISTIC",) * deterministic


def test_another_word_for_tensor_cores():
    with pytest.raises(ValueError, match='"always", "auto", or "never"'):
        unwanted_notes("float32", deterministic=False, tensor_core="sometimes")


@st.composite
def convolutions(draw, dtypes=("float16", "float32", "float64")):
    """One of the three operations, with arrays as Chainer makes them."""
    ndim, groups = draw(st.integers(2, 3)), draw(st.integers(1, 3))
    order = draw(st.sampled_from([NCHW, NHWC]))

    def per_axis(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(ndim))

    window, pad, stride = per_axis(1, 4), per_axis(0, 2), per_axis(1, 3)
    dilation, extra = per_axis(1, 2), per_axis(0, 5)
    length = tuple(
        max(1, (k - 1) * d + 1 - 2 * p) + more
        for k, d, p, more in zip(window, dilation, pad, extra, strict=True)
    )
    out = tuple(
        conv.get_conv_outsize(n, k, s, p, d=d)
        for n, k, s, p, d in zip(length, window, stride, pad, dilation, strict=True)
    )
    n = draw(st.integers(1, 3))
    of_group, filters = draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))

    def made(first, channels, rest):
        shape = (first, channels, *rest) if order == NCHW else (first, *rest, channels)
        return array(np.zeros(shape, dtype))

    dtype = draw(st.sampled_from(dtypes))
    arrays = {
        "image": made(n, groups * of_group, length),
        "filter": made(filters, of_group, window),
        "output": made(n, filters, out),
    }
    operation = draw(st.sampled_from(["fprop", "dgrad", "wgrad"]))
    moved = pad, stride, dilation, groups
    return _convolution.describe(operation, arrays, moved, (order, order)), moved


@given(convolutions())
def test_the_result_has_its_own_lengths_and_strides(monkeypatch_frontend, made):
    convolution, (pad, stride, dilation, _) = made
    graph = graph_of(convolution, handle=5)
    result = _graphs.RESULT[convolution.operation]
    assert set(graph.tensors) == {"image", "filter", "output"}
    for role, tensor in graph.tensors.items():
        layout = getattr(convolution, role)
        assert tensor.made["dim"] == list(layout.lengths)
        assert tensor.made["stride"] == list(layout.strides)
        assert ("output" in tensor.made) == (role == result)
    operation, arguments = graph.graph.operation
    assert operation == convolution.operation
    assert arguments["padding"] == list(pad)
    assert arguments["stride"] == list(stride)
    assert arguments["dilation"] == list(dilation)
    names = {
        "fprop": {"image": "image", "weight": "filter"},
        "dgrad": {"loss": "output", "filter": "filter"},
        "wgrad": {"image": "image", "loss": "output"},
    }[operation]
    for name, role in names.items():
        assert arguments[name] is graph.tensors[role]


@pytest.mark.parametrize(
    ("dtype", "io", "computed"),
    [
        ("float16", "HALF", "FLOAT"),
        ("float32", "FLOAT", "FLOAT"),
        ("float64", "DOUBLE", "DOUBLE"),
    ],
)
def test_types(stand_ins, dtype, io, computed):
    graph = graph_of(described(dtype), handle=5)
    made = graph.graph.made
    assert (made["io_data_type"], made["compute_data_type"]) == (io, computed)
    assert made["intermediate_data_type"] == computed
    assert made["handle"] == 5
    assert {tensor.made["data_type"] for tensor in graph.tensors.values()} == {io}


def described(dtype="float32", groups=1, pad=(1, 1), channels=4):
    arrays = {
        "image": array(np.zeros((2, channels, 7, 7), dtype)),
        "filter": array(np.zeros((6, 4 // groups, 3, 3), dtype)),
        "output": array(np.zeros((2, 6, 7, 7), dtype)),
    }
    return _convolution.describe(
        "fprop", arrays, (pad, (1, 1), None, groups), (NCHW, NCHW)
    )


def test_other_types_are_refused(stand_ins):
    with pytest.raises(TypeError, match="int8 is not supported in cuDNN"):
        graph_of(described("int8"), handle=5)


def test_no_dilation_is_one():
    assert described().dilation == (1, 1)


def test_channels_that_do_not_fit():
    with pytest.raises(ValueError, match="2 groups of 2 channels are not 6 channels"):
        described(groups=2, channels=6)


def test_unequal_numbers_of_axes():
    with pytest.raises(ValueError, match="same length"):
        described(pad=(1,))


@pytest.fixture(scope="module")
def monkeypatch_frontend():
    """A frontend's stand-in for all examples of a test."""
    from cudnn_stand_ins import frontend

    with pytest.MonkeyPatch.context() as patch:
        made = frontend()
        patch.setattr(_libraries, "frontend", lambda: made)
        yield made


@pytest.fixture(scope="module")
def real_frontend():
    real = pytest.importorskip("cudnn")
    if not hasattr(real, "pygraph"):
        pytest.skip("the module cudnn is not NVIDIA's frontend")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_libraries, "frontend", lambda: real)
        yield real


@given(convolutions())
def test_the_real_frontend_takes_every_graph(real_frontend, made):
    graph_of(made[0]).graph.validate()


@given(convolutions(dtypes=("float32",)))
def test_the_real_frontend_infers_the_same_lengths(real_frontend, made):
    convolution, (pad, stride, dilation, _) = made
    graph = real_frontend.pygraph(io_data_type=real_frontend.data_type.FLOAT)
    image, kernel = (
        graph.tensor(dim=list(layout.lengths), stride=list(layout.strides))
        for layout in (convolution.image, convolution.filter)
    )
    output = graph.conv_fprop(
        image=image,
        weight=kernel,
        padding=list(pad),
        stride=list(stride),
        dilation=list(dilation),
        compute_data_type=real_frontend.data_type.FLOAT,
    )
    output.set_output(True)
    graph.validate()
    assert output.get_dim() == list(convolution.output.lengths)


def test_the_real_frontend_has_the_notes(real_frontend):
    for note in (*NARROW, "NONDETERMINISTIC"):
        assert hasattr(real_frontend.numerical_note, note)
