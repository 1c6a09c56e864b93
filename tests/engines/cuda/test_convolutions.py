"""Convolutions as graphs of cuDNN: what is asked for, and what is not fused."""

from __future__ import annotations

import fake_cudnn
import pytest

from chainer_style.engines.cuda.convolutions import WORKSPACE, Builder
from chainer_style.engines.cuda.device import unfused
from chainer_style.engines.cuda.formats import FORMATS
from chainer_style.engines.cuda.steps import Convolution, Geometry
from chainer_style.engines.cuda.tuning import Tuner

WIDE = Geometry(16, 32, 1, 3, 1, 1, 9, 12, 9, 12)
STRIDED = Geometry(8, 96, 1, 11, 4, 0, 70, 75, 15, 17)
GROUPED = Geometry(96, 256, 2, 5, 1, 2, 7, 8, 7, 8)
GEOMETRIES = [WIDE, STRIDED, GROUPED]


def forward(geometry, rectified=True):
    return Convolution("c", "forward", geometry, "x", "y", "W", "b", rectified)


def back(geometry, mask="x"):
    return Convolution("c", "back", geometry, "gy", "gx", "W", mask=mask)


@pytest.fixture
def frontend(monkeypatch):
    monkeypatch.setattr(fake_cudnn.Graph, "made", [])
    return fake_cudnn


def build(frontend, step, precision="tf32"):
    built = Builder(frontend, FORMATS[precision], 5).build(step)
    return built, built.graph


@pytest.mark.parametrize("rectified", [False, True])
def test_bias_and_relu_are_part_of_it(frontend, rectified):
    built, graph = build(frontend, forward(WIDE, rectified), "bf16")
    names = [name for name, _ in graph.operations]
    assert names == ["conv_fprop", "bias", *["relu"] * rectified]
    assert graph.options["io_data_type"] is frontend.data_type.BFLOAT16
    assert graph.options["compute_data_type"] is frontend.data_type.FLOAT
    assert graph.options["handle"] == 5
    given = graph.operations[0][1]
    assert given["image"].given["dim"] == [1, 16, 9, 12]
    assert given["image"].given["stride"] == [16 * 9 * 12, 1, 12 * 16, 16]
    assert given["weight"].given["dim"] == [32, 16, 3, 3]
    assert given["weight"].given["stride"] == [9 * 16, 1, 3 * 16, 16]
    assert (given["padding"], given["stride"]) == ([1, 1], [1, 1])
    assert built.tensors["bias"].given["data_type"] is frontend.data_type.FLOAT
    out = built.tensors["target"].given
    assert out["dim"] == [1, 32, 9, 12]
    assert (out["output"], out["data_type"]) == (True, frontend.data_type.BFLOAT16)
    assert built.fused


def test_the_way_back_is_masked_in_it(frontend):
    built, graph = build(frontend, back(STRIDED))
    names = [name for name, _ in graph.operations]
    assert names == ["conv_dgrad", "relu_backward"]
    given = graph.operations[0][1]
    assert given["loss"].given["dim"] == [1, 96, 15, 17]
    assert graph.operations[1][1]["loss"].given["dim"] == [1, 8, 70, 75]
    assert built.tensors["target"].given["dim"] == [1, 8, 70, 75]
    assert build(frontend, back(STRIDED, None))[1].operations[-1][0] == "conv_dgrad"


def test_groups_are_told_by_the_filters(frontend):
    _, graph = build(frontend, forward(GROUPED))
    assert graph.operations[0][1]["weight"].given["dim"] == [256, 48, 5, 5]


def test_single_precision_is_not_tf32(frontend):
    notes = frontend.numerical_note
    dropped = notes.TENSOR_CORE, notes.DOWN_CONVERT_INPUTS
    for precision, expected in (("float32", True), ("tf32", False), ("bf16", False)):
        _, graph = build(frontend, forward(WIDE), precision)
        assert (("deselect_numeric_notes", dropped) in graph.asked) == expected
        assert ("deselect_workspace_greater_than", WORKSPACE) in graph.asked


@pytest.mark.parametrize(
    ("step", "refused", "left"),
    [
        (forward(WIDE), "relu", ["shift"]),
        (forward(WIDE, False), "bias", ["shift"]),
        (back(WIDE), "relu_backward", ["join"]),
        (back(WIDE, None), "relu_backward", []),
    ],
    ids=["forward", "not rectified", "back", "not masked"],
)
def test_what_cudnn_does_not_fuse_kernels_do(
    frontend, monkeypatch, step, refused, left
):
    monkeypatch.setattr(frontend.Graph, "refused", frozenset({refused}))
    built, graph = build(frontend, step)
    assert len(graph.operations) == 1
    assert not built.fused
    assert [launch.kernel for launch in unfused(step)] == left
    assert set(built.tensors) == {"source", "filters", "target"}


def test_what_cudnn_cannot_compute_is_told(frontend, monkeypatch):
    monkeypatch.setattr(frontend.Graph, "refused", frozenset({"conv_fprop"}))
    with pytest.raises(frontend.UnsupportedError):
        build(frontend, forward(WIDE))


def test_buffers_are_packed_by_tensor(frontend):
    step = forward(WIDE)
    built, _ = build(frontend, step)
    pack = built.pack(step, {"x": 1, "y": 2, "W": 3, "b": 4})
    named = {field: pack[tensor.get_uid()] for field, tensor in built.tensors.items()}
    assert named == {"source": 1, "target": 2, "filters": 3, "bias": 4}


class TestTuner:
    """The fastest plan is found once."""

    def tuner(self, device="card"):
        self.timed = []

        def timer(run):
            return {"slow": 3.0, "fast": 1.0, "slower": 4.0, "greedy": 0.1}[run()]

        return Tuner(device, FORMATS["tf32"], timer)

    def choose(self, tuner, step, frontend):
        built, graph = build(frontend, step)

        def execute(index):
            def run():
                self.timed.append(graph.plans[index])
                return graph.plans[index]

            return run

        return tuner.choose(step, built, execute), graph

    def test_the_fastest_that_can_be_built(self, frontend):
        index, graph = self.choose(self.tuner(), forward(WIDE), frontend)
        assert graph.plans[index] == "fast"
        assert not {"broken", "greedy"} & set(self.timed)
        assert index in graph.built

    def test_it_is_remembered(self, frontend):
        self.choose(self.tuner(), forward(WIDE), frontend)
        index, graph = self.choose(self.tuner(), forward(WIDE), frontend)
        assert graph.plans[index] == "fast"
        assert not self.timed
        assert graph.built == [index]

    @pytest.mark.parametrize("step", [forward(WIDE, False), back(WIDE)])
    def test_another_convolution_is_another(self, frontend, step):
        tuner = self.tuner()
        self.choose(tuner, forward(WIDE), frontend)
        self.timed.clear()
        self.choose(tuner, step, frontend)
        assert self.timed

    def test_so_is_another_card(self, frontend):
        self.choose(self.tuner(), forward(WIDE), frontend)
        self.choose(self.tuner("another"), forward(WIDE), frontend)
        assert self.timed

    def test_two_programs_at_once_remember_what_both_chose(self, frontend):
        one, other = self.tuner(), self.tuner()
        self.choose(one, forward(WIDE), frontend)
        self.choose(other, back(WIDE), frontend)
        later = self.tuner()
        for step in (forward(WIDE), back(WIDE)):
            self.choose(later, step, frontend)
        assert not self.timed

    def test_a_plan_that_is_gone_is_sought_again(self, frontend, monkeypatch):
        self.choose(self.tuner(), forward(WIDE), frontend)
        monkeypatch.setattr(frontend.Graph, "plans", ("slow", "slower"))
        index, graph = self.choose(self.tuner(), forward(WIDE), frontend)
        assert graph.plans[index] == "slow"

    def test_a_damaged_file_is_as_good_as_none(self, frontend, tmp_path):
        self.choose(self.tuner(), forward(WIDE), frontend)
        (path,) = tmp_path.rglob("*.json")
        for text in ("{", "[1]", ""):
            path.write_text(text)
            self.choose(self.tuner(), forward(WIDE), frontend)
            assert self.timed

    def test_a_plan_that_fails_when_it_runs_is_not_taken(self, frontend, monkeypatch):
        monkeypatch.setattr(frontend.Graph, "plans", ("fails", "slow"))
        index, graph = self.choose(self.tuner(), forward(WIDE), frontend)
        assert graph.plans[index] == "slow"

    def test_where_no_plan_can_be_built(self, frontend, monkeypatch):
        monkeypatch.setattr(frontend.Graph, "plans", ("broken",))
        with pytest.raises(RuntimeError, match="can compute c forward in no way"):
            self.choose(self.tuner(), forward(WIDE), frontend)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("precision", FORMATS)
def test_the_frontend_itself_takes_the_graphs(geometry, precision):
    cudnn = pytest.importorskip("cudnn", reason="cuDNN's frontend is not installed")
    try:
        cudnn.backend_version()
    except Exception as error:
        pytest.skip(f"no cuDNN behind its frontend: {error}")
    builder = Builder(cudnn, FORMATS[precision], None)
    steps = forward(geometry), forward(geometry, False)
    for step in (*steps, back(geometry), back(geometry, None)):
        built = builder.build(step)
        g = geometry
        made = (g.outputs, g.out_height, g.out_width)
        extents = made if step.way == "forward" else (g.inputs, g.height, g.width)
        assert list(built.tensors["target"].get_dim()) == [1, *extents]
