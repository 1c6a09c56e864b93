"""A device of CUDA: what it refuses, and all of it on stand-ins for its libraries."""

from __future__ import annotations

import fake_cudnn
import fake_cupy
import numpy as np
import problems
import pytest
from cuda_stand_ins import ComputingGraph

from chainer_style import engines, networks
from chainer_style.compat import cudnn
from chainer_style.engines import devices
from chainer_style.engines.base import Device
from chainer_style.engines.cuda.compiler import Compiler
from chainer_style.engines.cuda.device import CudaDevice, format_of
from chainer_style.engines.cuda.engine import CudaEngine
from chainer_style.engines.cuda.sized import Sized
from chainer_style.engines.cuda.steps import Units
from chainer_style.errors import UserError


@pytest.mark.parametrize(
    ("asked", "capability", "given"),
    [
        (None, (9, 0), "tf32"),
        (None, (7, 5), "float32"),
        ("float32", (5, 2), "float32"),
        ("bf16", (8, 0), "bf16"),
        ("fp16", (7, 0), "fp16"),
    ],
)
def test_precisions_of_a_card(asked, capability, given):
    assert format_of(asked, capability, "card").name == given


@pytest.mark.parametrize(
    ("asked", "capability", "told"),
    [
        ("tf32", (7, 5), "card has compute capability 7.5, and tf32 wants 8.0"),
        ("bf16", (7, 5), "bf16 wants 8.0; take --precision float32"),
        ("fp16", (6, 1), "fp16 wants 7.0"),
        ("float64", (9, 0), "does not compute in float64; choose one of: float32"),
    ],
)
def test_what_a_card_does_not_multiply(asked, capability, told):
    with pytest.raises(UserError, match=told):
        format_of(asked, capability, "card")


def test_it_wants_a_gpu():
    with pytest.raises(UserError, match="'cuda' computes on a GPU only; add --gpu 0"):
        engines.check("cuda", Device())


def test_what_is_missing_is_told(monkeypatch):
    monkeypatch.setattr(devices, "obstacle", lambda device: None)

    def missing():
        raise ImportError("the package is not installed\nat all")

    monkeypatch.setattr(cudnn, "frontend", missing)
    with pytest.raises(UserError, match="cuda: the package is not installed; run: pip"):
        engines.check("cuda", Device(0))
    out = devices.Obstacle("no CUDA device", "it is out", "put it in")
    monkeypatch.setattr(devices, "obstacle", lambda device: out)
    with pytest.raises(
        UserError, match="cuda: it is out; put it in, or leave --engine"
    ):
        engines.check("cuda", Device(0))


# -- on stand-ins ------------------------------------------------------------


@pytest.mark.parametrize(
    ("capability", "precision", "knows", "units"),
    [
        ((9, 0), "tf32", True, Units.WGMMA),
        ((9, 0), "bf16", True, Units.WGMMA),
        ((9, 0), "tf32", False, Units.MMA),
        ((9, 0), "float32", True, Units.NONE),
        ((8, 6), "tf32", True, Units.MMA),
        ((10, 0), "fp16", True, Units.MMA),
        ((7, 5), "fp16", True, Units.NONE),
    ],
)
def test_what_its_kernels_multiply_with(
    cupy, monkeypatch, capability, precision, knows, units
):
    """An NVRTC that does not know a device's own instructions is no error."""

    def refuse(program, options):
        raise RuntimeError("invalid value for --gpu-architecture")

    runtime = cupy.cuda.runtime
    known = runtime.getDeviceProperties(0)
    version = dict(zip(("major", "minor"), capability, strict=True))
    monkeypatch.setattr(runtime, "getDeviceProperties", lambda _: known | version)
    if not knows:
        monkeypatch.setattr(cupy.cuda.nvrtc, "compileProgram", refuse)
    assert CudaDevice(Device(0), precision).units == units


@pytest.mark.parametrize("width", [2, 4])
def test_blocks_that_share_all_filters_can_be_had(width):
    """As much as the H100 has for one: 227 KiB."""
    network = networks.get("vgg16").upto_taps()
    compiler = Compiler(Sized(network, 512, 512, width, units=Units.WGMMA))
    shared = [
        step.shared
        for step in compiler.grams().steps
        if getattr(step, "kernel", "") == "conv_64"
    ]
    assert len(shared) == 1
    assert 9 * 64 * 64 * width < shared[0] <= 227 << 10


def test_an_engine_on_it_gives_the_references_pictures(weights_of, cupy):
    problem = problems.make(weights_of, "vgg16", 20, 27, "modern", iterations=5)
    true, gradient = problems.reference(problem)
    engine = engines.create("cuda", problem, Device(0))
    assert isinstance(engine, CudaEngine)
    losses, found = engine.evaluate(problem.start)
    assert losses.total == pytest.approx(true.total, rel=1e-5)
    assert problems.relative(found, gradient) < 1e-5
    precise = engines.create("chainer", problem, Device(), "float64")
    launches = fake_cupy.Graph.launches
    readers = [engine.step() for _ in range(5)]
    assert fake_cupy.Graph.launches == launches + 5
    for read in readers:
        assert read().total == pytest.approx(precise.step()().total, rel=1e-4)
    assert np.abs(engine.image - precise.image).mean() < 1e-2


def test_graphs_of_cudnn_are_built_once_for_a_geometry(weights_of, cupy, monkeypatch):
    monkeypatch.setattr(fake_cudnn.Graph, "made", [])
    problem = problems.make(weights_of, "vgg16", 20, 27, "modern")
    problem = problems.dataclasses.replace(problem, style=problem.content)
    engine = engines.create("cuda", problem, Device(0))
    made = len(fake_cudnn.Graph.made)
    engine.evaluate(problem.start)
    assert len(fake_cudnn.Graph.made) == made
    # Ten convolutions, of which two pairs are alike, and back in three ways at most.
    assert made <= 8 + 3 * 8


def test_what_is_compiled_is_told_once(weights_of, cupy):
    problem = problems.make(weights_of, "vgg16", 20, 27, "modern")
    told = []

    def watch(names):
        told.append(list(names))
        return iter(names)

    engines.create("cuda", problem, Device(0), watch=watch)
    (names,) = told
    # The first has kernels of its own. The style's picture is larger: of the nine
    # others there, two are alike.
    assert len(names) == 7 + 7 + 7
    assert names[0].startswith("conv1_2 ")
    assert "conv4_1 back" in names
    engines.create("cuda", problem, Device(0), watch=watch)
    assert len(told) == 1


def test_a_convolution_that_is_not_fused(weights_of, cupy, monkeypatch):
    refused = frozenset({"bias", "relu", "relu_backward"})
    monkeypatch.setattr(ComputingGraph, "refused", refused)
    problem = problems.make(weights_of, "vgg16", 20, 27, "modern")
    true, gradient = problems.reference(problem)
    losses, found = engines.create("cuda", problem, Device(0)).evaluate(problem.start)
    assert losses.total == pytest.approx(true.total, rel=1e-5)
    assert problems.relative(found, gradient) < 1e-5


def test_a_convolution_that_cudnn_cannot_compute(weights_of, cupy, monkeypatch):
    monkeypatch.setattr(ComputingGraph, "refused", frozenset({"conv_fprop"}))
    problem = problems.make(weights_of, "vgg16", 20, 27, "modern")
    told = "cuDNN cannot compute conv1_2 in tf32 on Fake 100: for it; take another"
    with pytest.raises(UserError, match=told):
        engines.create("cuda", problem, Device(0))


def test_too_large_a_picture_is_refused_before_it_is_begun(weights_of, cupy):
    problem = problems.make(weights_of, "vgg16", 20, 27, "modern")
    device = CudaDevice(Device(0))
    cupy.free = 1 << 24
    told = r"needs .* more on Fake 100, where .* are free; take --precision bf16"
    with pytest.raises(UserError, match=told):
        engines.create("cuda", problem, Device(0))
    with pytest.raises(UserError, match=told):
        device.allocate(cupy.free + 1)


def test_plans_share_the_room_that_they_work_in(weights_of, cupy, monkeypatch):
    """As much as the one that needs most: not what was only tried."""
    sizes = {"slow": 1 << 22, "fast": 1 << 20}
    asked = []
    monkeypatch.setattr(ComputingGraph, "plans", tuple(sizes))
    monkeypatch.setattr(
        ComputingGraph,
        "get_workspace_size_plan_at_index",
        lambda self, index: sizes[self.plans[index]],
    )
    real = ComputingGraph.execute_plan_at_index

    def execute(self, pack, workspace, index, handle=None):
        assert device._room == workspace != 0
        assert device._room_size >= sizes[self.plans[index]]
        asked.append(self.plans[index])
        real(self, pack, workspace, index, handle)

    monkeypatch.setattr(ComputingGraph, "execute_plan_at_index", execute)
    told = {"slow": 2.0, "fast": 1.0}
    monkeypatch.setattr(cupy.cuda, "get_elapsed_time", lambda *_: told[asked[-1]])
    problem = problems.make(weights_of, "vgg16", 20, 27, "modern")
    device = CudaDevice(Device(0))
    CudaEngine(problem, device)
    assert "slow" in asked
    assert device._room_size == sizes["fast"]
