"""Engine cuda takes tiles where a device has no room for the picture."""

from __future__ import annotations

import dataclasses
import weakref

import numpy as np
import problems
import pytest

from chainer_style import engines, protocols
from chainer_style.engines.base import Device
from chainer_style.engines.cuda.device import CudaDevice
from chainer_style.engines.cuda.engine import CudaEngine
from chainer_style.errors import UserError
from chainer_style.tiling import create as tiling
from chainer_style.tiling.create import Limits
from chainer_style.tiling.cuda import create
from chainer_style.tiling.engine import TiledEngine
from chainer_style.tiling.ranks import Alone


@pytest.fixture
def problem(weights_of):
    """A transfer of two taps."""
    whole = problems.make(weights_of, "vgg16", 60, 150, "modern")
    second = whole.network.taps[1].node
    return dataclasses.replace(whole, network=whole.network.upto(second))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(create, "SIDES", (96, 48, 32, 16))


def test_it_is_whole_where_there_is_room(problem, machine):
    assert isinstance(create.create(problem, machine(), Alone(), None), CudaEngine)
    assert isinstance(create.create(problem, machine(), Alone(), 150), CudaEngine)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("side", [96, 32])
def test_tiles_fill_what_there_is(problem, machine, side, precision):
    device = machine(precision)
    need = create.predicted(problem, device, Alone(), side)
    device.memory = int(need / (1 - create.RESERVE)) + 1
    found = create.create(problem, device, Alone(), None)
    assert isinstance(found, TiledEngine)
    assert found.grid.side == side
    assert found.layout == f"{len(found.grid.tiles)} tiles of {side} px"
    found.step()
    assert device.peak == pytest.approx(need, rel=0.02)


def test_no_tile_fits(problem, machine):
    device = machine(memory=1 << 20)
    told = r"needs .* of the device, in tiles of 16 px, where .* are free; take --pre"
    with pytest.raises(UserError, match=told):
        create.create(problem, device, Alone(), None)


def test_tiles_are_not_computed_in_fp16(problem, machine):
    with pytest.raises(UserError, match="tiles in tf32, float32 or bf16; take"):
        create.create(problem, machine("fp16"), Alone(), 32)


def test_no_budget_is_given_to_a_device():
    with pytest.raises(UserError, match="takes what its GPU has free; leave --memory"):
        Limits(memory=1 << 30).check(protocols.get("modern"), "cuda")


class Below(Alone):
    """The second of two ranks, without the other."""

    def __init__(self):
        super().__init__()
        self.number, self.count = 1, 2

    def swap(self, up, down):
        return np.full_like(up, 1.5), None


def test_a_rank_holds_its_rows_and_some_of_its_neighbours(problem, machine):
    problem = dataclasses.replace(problem, start=problem.start.copy())
    device = machine()
    found = create.create(problem, device, Below(), None)
    assert isinstance(found, TiledEngine)
    band = found._band
    assert band.top % 16 == 0
    assert 0 < band.first < band.top < band.bottom == 60
    picture = found._picture
    held = problem.start[0, :, band.first :].transpose(1, 2, 0)
    np.testing.assert_array_equal(picture.pixels, held)
    picture.clear()
    picture.share_gradient()
    wanted = np.zeros_like(held)
    own = band.own.start
    wanted[own : own + band.above] = 1.5
    np.testing.assert_array_equal(picture.gradient, wanted)
    picture.share_pixels()
    assert (picture.pixels[:own] == 1.5).all()
    np.testing.assert_array_equal(picture.pixels[own:], held[own:])


# -- on stand-ins for CUDA's libraries ---------------------------------------


def test_a_device_computes_tiles(problem, cupy):
    true = engines.create("cuda", problem, Device(0)).evaluate(problem.start)
    found = tiling.create("cuda", problem, Device(0), limits=Limits(tile=48))
    assert isinstance(found, TiledEngine)
    losses, gradient = found.evaluate(problem.start)
    assert losses.total == pytest.approx(true[0].total, rel=1e-5)
    assert problems.relative(gradient, true[1]) < 2e-5
    before = found.step()().total
    assert found.step()().total < before


def test_what_was_captured_keeps_its_room(problem, cupy, monkeypatch):
    """Later programs need no more of it: graphs have its address in them."""
    from cuda_stand_ins import ComputingGraph

    def needed(graph, index):
        return 1 << 20 if graph.operations[0][0] == "conv_fprop" else 1 << 22

    monkeypatch.setattr(ComputingGraph, "get_workspace_size_plan_at_index", needed)
    monkeypatch.setattr(create.CudaTiles, "back", None)
    machine = CudaDevice(Device(0))
    found = create.tiled(problem, machine, Alone(), 48)
    assert machine._room_size >= 1 << 20
    room = machine._room
    found._tiles.survey(found._windows())
    monkeypatch.undo()
    assert room == machine._room


def test_a_device_is_let_go_of_with_its_engine(problem, cupy):
    """In a cycle of references its memory would stay, and the next scale lack it."""
    for limits in (Limits(), Limits(tile=48)):
        found = tiling.create("cuda", problem, Device(0), limits=limits)
        machine = weakref.ref(found._machine if limits.tile is None else found._tiles)
        del found
        assert machine() is None


def test_auto_takes_it_for_tiles(problem, cupy, monkeypatch):
    monkeypatch.setattr(engines, "check", lambda name, device: None)
    found = tiling.create("auto", problem, Device(0), limits=Limits(tile=48))
    assert isinstance(found, TiledEngine)
    assert found.name == "cuda"
