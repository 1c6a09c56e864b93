"""A device of CUDA: what it refuses, and all of it on stand-ins for its libraries."""

from __future__ import annotations

import ctypes
import sys

import fake_cudnn
import fake_cupy
import host_machine
import numpy as np
import problems
import pytest
from fake_cublas import Library

from chainer_style import engines, networks
from chainer_style.compat import cudnn
from chainer_style.engines import devices
from chainer_style.engines.base import Device
from chainer_style.engines.cuda import device as of_cuda
from chainer_style.engines.cuda import first, onepass, products, recording, tuning
from chainer_style.engines.cuda.compiler import Compiler
from chainer_style.engines.cuda.device import CudaDevice, format_of
from chainer_style.engines.cuda.engine import CudaEngine
from chainer_style.engines.cuda.steps import Geometry, Units
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


class ComputingGraph(fake_cudnn.Graph):
    """A graph whose plans compute, on the fake device."""

    cupy = None

    def execute_plan_at_index(self, pack, workspace, index, handle=None):
        assert index in self.built
        assert handle == 5
        self.cupy.do(lambda: self._compute(pack))

    def _compute(self, pack):
        (name, given), *others = self.operations
        image = given.get("image", given.get("loss"))
        filters = given.get("weight", given.get("filter"))
        outputs, depth, kernel, _ = filters.given["dim"]
        W = self._array(filters, pack).transpose(0, 2, 3, 1).astype(float)
        x = self._array(image, pack)[0].transpose(1, 2, 0).astype(float)
        target = self.of(pack, self.out)
        if name == "conv_fprop":
            inputs, height, width = image.given["dim"][1:]
            made = self.out.given["dim"][2:]
            geometry = self._geometry(given, inputs, outputs, depth, kernel)
            g = Geometry(*geometry, height, width, *made)
            y = host_machine.forward(x, W, g)
            for other, more in others:
                if other == "bias":
                    y += self._array(more["bias"], pack).ravel()
                elif other == "relu":
                    y = np.maximum(y, 0)
                else:
                    self._stop(y, more, pack)
        else:
            inputs, height, width = self.out.given["dim"][1:]
            geometry = self._geometry(given, inputs, outputs, depth, kernel)
            g = Geometry(*geometry, height, width, *image.given["dim"][2:])
            y = host_machine.back(x, W, g)
            for _, more in others:
                self._stop(y, more, pack)
        target[0] = y.transpose(2, 0, 1)

    def _stop(self, y, given, pack):
        seen = self._array(given["input"], pack)[0].transpose(1, 2, 0)
        y[~(seen > 0)] = 0

    @staticmethod
    def _geometry(given, inputs, outputs, depth, kernel):
        stride, pad = given["stride"][0], given["padding"][0]
        return inputs, outputs, inputs // depth, kernel, stride, pad

    def of(self, pack, tensor):
        dim, strides = tensor.given["dim"], tensor.given["stride"]
        raw = (ctypes.c_float * int(np.prod(dim))).from_address(pack[tensor.get_uid()])
        flat = np.frombuffer(raw, np.float32)
        return np.lib.stride_tricks.as_strided(flat, dim, [4 * s for s in strides])

    _array = lambda self, tensor, pack: self.of(pack, tensor)  # noqa: E731

    def _operate(self, name, **given):
        self.out = super()._operate(name, **given)
        return self.out


@pytest.fixture
def cupy(monkeypatch):
    if host_machine.COMPILER is None:
        pytest.skip(host_machine.MISSING)
    fake = fake_cupy.Cupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(cudnn, "frontend", lambda: fake_cudnn)
    monkeypatch.setattr(fake_cudnn, "pygraph", ComputingGraph)
    monkeypatch.setattr(ComputingGraph, "cupy", fake)
    monkeypatch.setattr(of_cuda, "check", lambda device: None)
    monkeypatch.setattr(tuning, "TRIED", 2)
    monkeypatch.setattr(recording, "TIMES", 1)
    monkeypatch.setattr(recording, "MOST", 1)

    class Captured(Library):
        def gemm(self, *given):
            fake.do(lambda: super(Captured, self).gemm(*given))

    monkeypatch.setattr(products, "load", lambda version: Captured())
    return fake


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
    compiler = Compiler(network, 512, 512, width, units=Units.WGMMA)
    shared = [
        step.shared
        for step in compiler.features(grams=True).steps
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
    told = r"needs .* more on Fake 100, where .* are free; take a smaller --width"
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


@pytest.fixture
def hasty(monkeypatch):
    """A plan is as right as another, and building takes long."""
    monkeypatch.setattr(tuning, "TRIED", 2)


@pytest.mark.gpu
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16", "fp16"])
@pytest.mark.parametrize("name", ["vgg16", "nin", "googlenet", "alexnet"])
@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_a_card_gives_the_references_losses(weights_of, precision, name, protocol):
    bound = {"float32": 1e-4, "tf32": 2e-2, "bf16": 0.15, "fp16": 3e-2}[precision]
    least = problems.smallest(name, protocol)
    problem = problems.make(weights_of, name, least + 35, least + 50, protocol)
    true, gradient = problems.reference(problem)
    losses, found = engines.create("cuda", problem, Device(0), precision).evaluate(
        problem.start
    )
    assert losses.total == pytest.approx(true.total, rel=bound)
    np.testing.assert_allclose(losses.style, true.style, rtol=bound)
    assert problems.relative(found, gradient) < bound


@pytest.mark.gpu
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("precision", ["tf32", "bf16", "fp16"])
@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_taps_in_one_pass_on_a_card(
    weights_of, monkeypatch, precision, pooling, protocol
):
    problem = problems.make(weights_of, "vgg16", 70, 83, protocol, pooling=pooling)
    device = Device(0)
    two = engines.create("cuda", problem, device, precision).evaluate(problem.start)
    monkeypatch.setattr(onepass, "FULL", 1)
    one = engines.create("cuda", problem, device, precision).evaluate(problem.start)
    # The sums are rounded once instead of three times.
    bound = {"tf32": 1e-3, "bf16": 3e-2, "fp16": 4e-3}[precision]
    assert one[0].total == pytest.approx(two[0].total, rel=1e-5)
    assert problems.relative(one[1], two[1]) < bound


@pytest.mark.gpu
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("precision", ["tf32", "bf16", "fp16"])
@pytest.mark.parametrize("extents", [(70, 83), (129, 64)])
def test_convolutions_by_warpgroups_on_a_card(
    weights_of, monkeypatch, precision, extents
):
    problem = problems.make(weights_of, "vgg16", *extents, "modern")
    device = Device(0)
    theirs = engines.create("cuda", problem, device, precision)
    if theirs._machine.units < Units.WGMMA:
        pytest.skip(f"{theirs._machine.title} has no products by warpgroups")
    two = theirs.evaluate(problem.start)
    monkeypatch.setattr(first, "LEAST", 1)
    monkeypatch.setattr(first, "ALONE", 3)
    one = engines.create("cuda", problem, device, precision).evaluate(problem.start)
    # Both round. Where one cuts off, TF32 is off by more.
    bound = {"tf32": 1e-3, "bf16": 3e-2, "fp16": 4e-3}[precision]
    assert one[0].total == pytest.approx(two[0].total, rel=bound)
    assert problems.relative(one[1], two[1]) < bound


@pytest.mark.gpu
@pytest.mark.usefixtures("hasty")
def test_a_card_takes_the_references_way(weights_of):
    problem = problems.make(weights_of, "vgg16", 70, 75, "modern", iterations=80)
    precise = engines.create("chainer", problem, Device(), "float32")
    engine = engines.create("cuda", problem, Device(0), "float32")
    readers = [engine.step() for _ in range(80)]
    told = [precise.step()().total for _ in range(80)]
    assert [read().total for read in readers[:20]] == pytest.approx(told[:20], rel=1e-2)
    assert readers[-1]().total == pytest.approx(told[-1], rel=0.1)
    assert np.abs(engine.image - precise.image).mean() < 5
    state = engine.state
    other = engines.create("cuda", problem, Device(0), "float32")
    other.restore(state)
    assert other.step()() == engine.step()()
