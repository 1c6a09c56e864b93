"""Convolutions as graphs of cuDNN: what is asked for, and what is not fused."""

from __future__ import annotations

import fake_cudnn
import pytest

from chainer_style.engines.cuda.convolutions import (
    WORKSPACE,
    Builder,
    Variant,
    unfused,
)
from chainer_style.engines.cuda.formats import FORMATS
from chainer_style.engines.cuda.steps import Convolution, Geometry
from chainer_style.engines.cuda.tuning import Tuner

WIDE = Geometry(16, 32, 1, 3, 1, 1, 9, 12, 9, 12)
STRIDED = Geometry(8, 96, 1, 11, 4, 0, 70, 75, 15, 17)
GROUPED = Geometry(96, 256, 2, 5, 1, 2, 7, 8, 7, 8)
NARROWED = Geometry(16, 32, 1, 3, 1, 0, 9, 12, 7, 10)
GEOMETRIES = [WIDE, STRIDED, GROUPED]


def forward(geometry, rectified=True):
    return Convolution("c", "forward", geometry, "x", "y", "W", "b", rectified)


def back(geometry, mask="x", turned=None):
    ends = "gy", "gx", "W"
    return Convolution("c", "back", geometry, *ends, mask=mask, turned=turned)


@pytest.fixture
def frontend(monkeypatch):
    monkeypatch.setattr(fake_cudnn.Graph, "made", [])
    return fake_cudnn


def build(frontend, step, precision="tf32", variant=None):
    builder = Builder(frontend, FORMATS[precision], 5)
    built = builder.build(step, variant or builder.variants(step)[0])
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
    assert built.variant == Variant(fused=True)


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


def test_the_way_back_may_be_a_convolution_with_turned_filters(frontend):
    step = back(NARROWED, turned="V")
    built, graph = build(frontend, step, variant=Variant(fused=True, turned=True))
    assert [name for name, _ in graph.operations] == ["conv_fprop", "relu_backward"]
    given = graph.operations[0][1]
    assert given["image"].given["dim"] == [1, 32, 7, 10]
    assert given["weight"].given["dim"] == [16, 32, 3, 3]
    assert (given["padding"], given["stride"]) == ([2, 2], [1, 1])
    assert built.tensors["target"].given["dim"] == [1, 16, 9, 12]
    places = {"gy": 1, "gx": 2, "W": 3, "x": 4, "V": 5}
    assert sorted(built.pack(step, places).values()) == [1, 2, 4, 5]


@pytest.mark.parametrize(
    ("step", "names", "single"),
    [
        (forward(WIDE), ["fused", "plain"], ["fused", "plain"]),
        (back(WIDE), ["fused", "plain"], ["plain"]),
        (back(WIDE, None), ["plain"], ["plain"]),
        (back(WIDE, None, "V"), ["plain", "turned plain"], ["plain", "turned plain"]),
        (
            back(WIDE, "x", "V"),
            ["turned fused", "plain", "turned plain"],
            ["plain", "turned plain"],
        ),
    ],
    ids=["forward", "back", "not masked", "turned", "masked and turned"],
)
def test_ways_to_compute_it(frontend, step, names, single):
    for precision, expected in {"tf32": names, "float32": single}.items():
        found = Builder(frontend, FORMATS[precision], 5).variants(step)
        assert [variant.name for variant in found] == expected


@pytest.mark.parametrize(
    ("step", "left"),
    [
        (forward(WIDE), ["shift"]),
        (forward(WIDE, False), ["shift"]),
        (back(WIDE), ["join"]),
        (back(WIDE, None), []),
    ],
    ids=["forward", "not rectified", "back", "not masked"],
)
def test_what_is_not_fused_kernels_do(frontend, step, left):
    built, graph = build(frontend, step, variant=Variant(fused=False))
    assert len(graph.operations) == 1
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

    SECONDS = {"slow": 3.0, "fast": 1.0, "slower": 4.0, "greedy": 0.1}  # noqa: RUF012

    def tuner(self, frontend, device="card"):
        self.timed = []
        form = FORMATS["tf32"]
        builder = Builder(frontend, form, 5)
        return Tuner(device, form, builder, lambda run: self.SECONDS[run()])

    def choose(self, tuner, step):
        """Return the name of the plan, and what it is of."""

        def execute(built, index):
            def run():
                self.timed.append(built.graph.plans[index])
                return built.graph.plans[index]

            return run

        built, index = tuner.choose(step, execute)
        assert index in built.graph.built
        return built.graph.plans[index], built

    def test_the_fastest_that_can_be_built(self, frontend):
        plan, built = self.choose(self.tuner(frontend), forward(WIDE))
        assert plan == "fast"
        assert built.variant == Variant(fused=True)
        assert not {"broken", "greedy"} & set(self.timed)

    def test_it_is_remembered(self, frontend):
        self.choose(self.tuner(frontend), forward(WIDE))
        plan, built = self.choose(self.tuner(frontend), forward(WIDE))
        assert plan == "fast"
        assert not self.timed
        assert len(built.graph.built) == 1

    def test_of_all_ways_the_fastest(self, frontend, monkeypatch):
        step = back(WIDE, "x", "V")
        real = Builder.build

        def build(self, step, variant):
            built = real(self, step, variant)
            name = "fast" if variant.name == "turned plain" else "slow"
            built.graph.plans = (name,)
            return built

        monkeypatch.setattr(Builder, "build", build)
        plan, built = self.choose(self.tuner(frontend), step)
        assert (plan, built.variant.name) == ("fast", "turned plain")
        assert len(self.timed) == 3
        again, built = self.choose(self.tuner(frontend), step)
        assert (again, built.variant.name) == ("fast", "turned plain")
        assert not self.timed

    def test_of_plans_as_fast_the_one_that_takes_less_space(
        self, frontend, monkeypatch
    ):
        monkeypatch.setattr(self, "SECONDS", {"fast": 1.0, "slow": 1.01, "greedy": 0.9})
        spaces = {"fast": 9, "slow": 1, "greedy": WORKSPACE + 1}
        monkeypatch.setattr(frontend.Graph, "plans", ("fast", "slow", "greedy"))
        monkeypatch.setattr(
            frontend.Graph,
            "get_workspace_size_plan_at_index",
            lambda graph, index: spaces[graph.plans[index]],
        )
        assert self.choose(self.tuner(frontend), forward(WIDE))[0] == "slow"

    @pytest.mark.parametrize("refused", ["bias", "relu"])
    def test_what_cudnn_does_not_fuse(self, frontend, monkeypatch, refused):
        monkeypatch.setattr(frontend.Graph, "refused", frozenset({refused}))
        plan, built = self.choose(self.tuner(frontend), forward(WIDE))
        assert (plan, built.variant.name) == ("fast", "plain")

    @pytest.mark.parametrize("step", [forward(WIDE, False), back(WIDE)])
    def test_another_convolution_is_another(self, frontend, step):
        tuner = self.tuner(frontend)
        self.choose(tuner, forward(WIDE))
        self.timed.clear()
        self.choose(tuner, step)
        assert self.timed

    def test_so_is_another_card(self, frontend):
        self.choose(self.tuner(frontend), forward(WIDE))
        self.choose(self.tuner(frontend, "another"), forward(WIDE))
        assert self.timed

    def test_two_programs_at_once_remember_what_both_chose(self, frontend):
        one, other = self.tuner(frontend), self.tuner(frontend)
        self.choose(one, forward(WIDE))
        self.choose(other, back(WIDE))
        later = self.tuner(frontend)
        for step in (forward(WIDE), back(WIDE)):
            self.choose(later, step)
        assert not self.timed

    @pytest.mark.parametrize("gone", ["plan", "variant"])
    def test_what_is_gone_is_sought_again(self, frontend, monkeypatch, gone):
        self.choose(self.tuner(frontend), forward(WIDE))
        monkeypatch.setattr(frontend.Graph, "plans", ("slow", "slower"))
        if gone == "variant":
            refused = frozenset({"bias"})
            monkeypatch.setattr(frontend.Graph, "refused", refused)
        plan, _ = self.choose(self.tuner(frontend), forward(WIDE))
        assert plan == "slow"

    def test_a_damaged_file_is_as_good_as_none(self, frontend, tmp_path):
        self.choose(self.tuner(frontend), forward(WIDE))
        (path,) = tmp_path.rglob("*.json")
        for text in ("{", "[1]", "", '{"a": "b"}', '{"a": [1, 2, 3]}', '{"a": 1}'):
            path.write_text(text)
            self.choose(self.tuner(frontend), forward(WIDE))
            assert self.timed

    def test_a_plan_that_fails_when_it_runs_is_not_taken(self, frontend, monkeypatch):
        monkeypatch.setattr(frontend.Graph, "plans", ("fails", "slow"))
        assert self.choose(self.tuner(frontend), forward(WIDE))[0] == "slow"

    def test_where_no_plan_can_be_built(self, frontend, monkeypatch):
        monkeypatch.setattr(frontend.Graph, "plans", ("broken",))
        with pytest.raises(RuntimeError, match="can compute c forward in no way"):
            self.choose(self.tuner(frontend), forward(WIDE))


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("precision", FORMATS)
def test_the_frontend_itself_takes_the_graphs(geometry, precision):
    cudnn = pytest.importorskip("cudnn", reason="cuDNN's frontend is not installed")
    try:
        cudnn.backend_version()
    except Exception as error:
        pytest.skip(f"no cuDNN behind its frontend: {error}")
    builder = Builder(cudnn, FORMATS[precision], None)
    turned = "V" if geometry.stride == geometry.groups == 1 else None
    steps = forward(geometry), forward(geometry, False)
    gradients = (back(geometry, mask, turned) for mask in ("x", None))
    for step in (*steps, *gradients):
        check_ways(builder, geometry, step)


def check_ways(builder, geometry, step):
    for variant in builder.variants(step):
        built = builder.build(step, variant)
        g = geometry
        made = (g.outputs, g.out_height, g.out_width)
        extents = made if step.way == "forward" else (g.inputs, g.height, g.width)
        assert list(built.tensors["target"].get_dim()) == [1, *extents]
