"""Which algorithm is chosen, of a frontend's stand-in that has some."""

from __future__ import annotations

import numpy as np
import pytest
from cudnn_stand_ins import HANDLE, STREAM, WORKSPACE, array, cupy, plan, random

from chainer_style.compat.cudnn import _plans, functions

NARROW = ["TENSOR_CORE", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION"]


def forward(auto_tune=False, tensor_core="auto", dtype="float32", b=None, **more):
    x, w = random((2, 4, 9, 8), dtype), random((6, 2, 3, 3), dtype)
    y = array(np.zeros((2, 6, 9, 8), dtype))
    functions.convolution_forward(
        x,
        w,
        b,
        y,
        (1, 1),
        (1, 1),
        (1, 1),
        2,
        auto_tune=auto_tune,
        tensor_core=tensor_core,
        **more,
    )
    return x, w, y


def backward(kind="filter", deterministic=False, auto_tune=False):
    x, w, gy = (random(s) for s in ((2, 4, 9, 8), (6, 2, 3, 3), (2, 6, 9, 8)))
    options = {
        "deterministic": deterministic,
        "auto_tune": auto_tune,
        "tensor_core": "auto",
    }
    moved = (1, 1), (1, 1), (1, 1), 2
    if kind == "filter":
        functions.convolution_backward_filter(x, gy, w, *moved, **options)
    else:
        functions.convolution_backward_data(w, gy, None, x, *moved, **options)
    return x, w, gy


def chosen(stand_ins):
    return stand_ins.frontend.graphs[-1].executed[-1][2]


def test_arrays_reach_their_tensors(stand_ins):
    arrays = [forward(), backward("filter"), backward("data")]
    assert len(stand_ins.frontend.graphs) == 3
    for (image, kernel, output), graph in zip(
        arrays, stand_ins.frontend.graphs, strict=True
    ):
        ((pointers, workspace, index, handle),) = graph.executed
        assert (workspace, index, handle) == (0, 0, HANDLE + 1)
        assert graph.made["handle"] == handle
        # An image has 4 channels, a filter those of a group, an output 6.
        lengths = {
            (2, 4, 9, 8): image.data.ptr,
            (6, 2, 3, 3): kernel.data.ptr,
            (2, 6, 9, 8): output.data.ptr,
        }
        assert {tuple(t.made["dim"]): p for t, p in pointers.items()} == lengths
        assert all(type(pointer) is int for pointer in pointers.values())
    assert set(stand_ins.frontend.streams) == {(HANDLE + 1, STREAM)}


def test_the_first_plan_that_fits_is_taken(stand_ins):
    stand_ins.frontend.plans = [
        plan("TENSOR_CORE"),
        plan(workspace=9 << 20),
        plan(error=RuntimeError("not supported")),
        plan(workspace=1 << 20),
        plan(),
    ]
    forward()
    graph = stand_ins.frontend.graphs[-1]
    assert graph.built == [3]
    assert graph.modes == ["A", "FALLBACK"]
    assert graph.unwanted == [*NARROW, "NONDETERMINISTIC"]
    assert graph.limit == 8 << 20
    assert graph.executed[0][1:3] == (WORKSPACE, 3)
    assert stand_ins.cupy.allocated == [1 << 20]


@pytest.mark.parametrize(
    ("options", "index"),
    [
        ({}, 1),
        ({"dtype": "float16"}, 0),
        ({"dtype": "float16", "tensor_core": "never"}, 1),
        ({"tensor_core": "always"}, 0),
    ],
)
def test_tensor_cores(stand_ins, options, index):
    stand_ins.frontend.plans = [plan("TENSOR_CORE"), plan()]
    forward(**options)
    assert chosen(stand_ins) == index


@pytest.mark.parametrize("kind", ["filter", "data"])
@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("auto_tune", [False, True])
def test_deterministic(stand_ins, kind, deterministic, auto_tune):
    stand_ins.frontend.plans = [plan("NONDETERMINISTIC"), plan()]
    backward(kind, deterministic, auto_tune)
    assert chosen(stand_ins) == int(deterministic)


@pytest.mark.parametrize("auto_tune", [False, True])
def test_a_convolution_itself_is_always_deterministic(stand_ins, auto_tune):
    stand_ins.frontend.plans = [plan("NONDETERMINISTIC"), plan()]
    forward(auto_tune)
    assert chosen(stand_ins) == 1


def test_workspace(stand_ins):
    stand_ins.frontend.plans = [plan(workspace=100), plan(workspace=10)]
    for limit, expected in ((100, 0), (99, 1), (10, 1)):
        functions.set_max_workspace_size(limit)
        forward()
        assert chosen(stand_ins) == expected
    functions.set_max_workspace_size(9)
    with pytest.raises(RuntimeError, match="set_max_workspace_size"):
        forward()


def test_all_are_tried_and_the_fastest_is_kept(stand_ins, monkeypatch):
    # Each plan is timed three times, and its fastest time counts.
    clock = iter([5, 4, 6, 7, 1, 9, 2, 2, 2])
    monkeypatch.setattr(
        stand_ins.cupy.cuda, "get_elapsed_time", cupy(clock=clock).cuda.get_elapsed_time
    )
    stand_ins.frontend.plans = [
        plan(),
        plan("TENSOR_CORE"),
        plan(broken=True),
        plan(workspace=64),
        plan(),
    ]
    forward(auto_tune=True)
    graph = stand_ins.frontend.graphs[-1]
    assert graph.built == [0, 2, 3, 4]
    assert [done[2] for done in graph.executed] == [0, 0, 0, 3, 3, 3, 4, 4, 4, 3]
    assert next(clock, None) is None
    forward(auto_tune=True)
    assert graph.executed[-1][2] == 3
    assert len(stand_ins.frontend.graphs) == 1


def test_a_single_plan_is_not_timed(stand_ins):
    forward(auto_tune=True)
    assert len(stand_ins.frontend.graphs[-1].executed) == 1


def test_plans_are_kept_for_what_they_were_found_for(stand_ins):
    graphs = stand_ins.frontend.graphs
    for _ in range(2):
        forward()
    assert len(graphs) == 1
    for number, other in enumerate(
        (
            lambda: forward(auto_tune=True),
            lambda: forward(tensor_core="always"),
            lambda: forward(dtype="float16"),
            lambda: functions.set_max_workspace_size(7) or forward(),
            lambda: setattr(stand_ins.cupy, "device", 1) or forward(),
            backward,
            lambda: backward("data"),
            lambda: backward(deterministic=True),
        ),
        start=2,
    ):
        other()
        assert len(graphs) == number
    assert len(_plans.known()) == len(graphs)


def test_the_oldest_plan_goes_where_there_are_too_many(stand_ins, monkeypatch):
    monkeypatch.setattr(_plans, "MOST", 2)
    for limit in (1, 2, 3, 2, 1):
        functions.set_max_workspace_size(limit)
        forward()
    assert [choice.workspace for _, _, choice in _plans.known()] == [3, 1]
    assert len(stand_ins.frontend.graphs) == 4


def test_no_plan_at_all(stand_ins):
    stand_ins.frontend.plans = [plan("TENSOR_CORE"), plan(error=RuntimeError("no\n"))]
    with pytest.raises(RuntimeError) as caught:
        forward()
    message = str(caught.value)
    assert message.startswith("cuDNN has no algorithm for Convolution(")
    assert "operation='fprop'" in message
    assert "within 8388608 bytes" in message
    assert "without tensor core and without down convert inputs" in message
    assert "(no)" in message
    assert "using_config('use_cudnn', 'never')" in message


def test_only_plans_that_fail(stand_ins):
    stand_ins.frontend.plans = [plan(broken=True), plan(broken=True)]
    with pytest.raises(RuntimeError, match="launch failed"):
        forward(auto_tune=True)


def test_a_graph_that_is_refused(stand_ins):
    stand_ins.frontend.invalid = "lengths do not fit"
    with pytest.raises(RuntimeError, match=r"\(lengths do not fit\)"):
        forward()


def test_other_errors_are_not_hidden(stand_ins):
    stand_ins.frontend.plans = [plan(error=MemoryError())]
    with pytest.raises(MemoryError):
        forward()


@pytest.mark.parametrize("last", [False, True])
def test_bias(stand_ins, last):
    """The stand-in computes nothing, so that the bias is all there is."""
    b = random((6,))
    shapes = [(2, 4, 9, 8), (6, 2, 3, 3), (2, 6, 9, 8)]
    if last:
        shapes = [(a, *rest, c) for a, c, *rest in shapes]
    x, w, y = (array(np.zeros(shape, "float32")) for shape in shapes)
    moved = (1, 1), (1, 1), (1, 1), 2
    options = {"auto_tune": False, "tensor_core": "auto"}
    options |= {"d_layout": int(last), "w_layout": int(last)}
    functions.convolution_forward(x, w, b, y, *moved, **options)
    seen = np.moveaxis(y, -1, 1) if last else y
    assert (seen == b.reshape(1, 6, 1, 1)).all()
    b = random((4,))
    options["deterministic"] = False
    functions.convolution_backward_data(w, y, b, x, *moved, **options)
    seen = np.moveaxis(x, -1, 1) if last else x
    assert (seen == b.reshape(1, 4, 1, 1)).all()
    strides = stand_ins.frontend.graphs[0].tensors[0].made["stride"]
    assert strides == ([288, 1, 32, 4] if last else [288, 72, 8, 1])


def test_sums_of_nothing(stand_ins):
    x, w = array(np.zeros((0, 4, 9, 8), "f")), array(np.ones((6, 4, 3, 3), "f"))
    y = array(np.zeros((0, 6, 9, 8), "f"))
    functions.convolution_backward_filter(
        x,
        y,
        w,
        (1, 1),
        (1, 1),
        (1, 1),
        1,
        deterministic=False,
        auto_tune=False,
        tensor_core="auto",
    )
    assert (w == 0).all()
    assert stand_ins.frontend.graphs == []


def test_a_result_in_another_order(stand_ins):
    x, w = random((1, 1, 3, 4)), random((1, 1, 1, 1))
    y = random((1, 1, 4, 3)).transpose(0, 1, 3, 2)
    with pytest.raises(ValueError, match="c-contiguous"):
        functions.convolution_forward(
            x,
            w,
            None,
            y,
            (0, 0),
            (1, 1),
            (1, 1),
            1,
            auto_tune=False,
            tensor_core="auto",
        )
