"""Tiles of engine cuda give what it gives of the whole picture."""

from __future__ import annotations

import dataclasses

import host_machine
import numpy as np
import problems
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainer_style.engines.base import State
from chainer_style.engines.cuda import backward, first, onepass
from chainer_style.engines.cuda.engine import CudaEngine
from chainer_style.engines.cuda.steps import Units
from chainer_style.tiling.cuda import create, tiles
from chainer_style.tiling.ranks import Alone


def tiled(problem, machine, side):
    return create.tiled(problem, machine, Alone(), side)


def shallow(problem):
    """Return a problem of two taps: margins of a few pixels."""
    network = problem.network
    node = network.taps[1].node
    return dataclasses.replace(problem, network=network.upto(node))


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("vgg16", "2016"),
        ("nin", "2016"),
        ("googlenet", "modern"),
        pytest.param("vgg19", "modern", marks=pytest.mark.slow),
        pytest.param("illust2vec", "modern", marks=pytest.mark.slow),
    ],
)
def test_they_agree(weights_of, machine, name, protocol):
    least = problems.smallest(name, protocol)
    problem = problems.make(weights_of, name, least + 35, least + 50, protocol)
    found = tiled(problem, machine(), 32)
    assert len(found.grid.tiles) > 3
    problems.agree(found, CudaEngine(problem, machine()), problem.start, 1e-5, 2e-5)


def test_they_agree_in_half_the_bits(weights_of, machine):
    """What tiles share is rounded in each of them: gradients to one part in 256."""
    problem = shallow(problems.make(weights_of, "vgg16", 37, 51, "modern"))
    found = tiled(problem, machine("bf16"), 16)
    true = CudaEngine(problem, machine("bf16"))
    problems.agree(found, true, problem.start, 1e-4, 2**-8)


@pytest.fixture
def few(monkeypatch):
    """Small pictures are computed as large ones are, by few blocks."""
    monkeypatch.setattr(onepass, "FULL", 1)
    for module in (onepass, backward, tiles):
        monkeypatch.setattr(module, "BLOCKS", 8)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize(
    ("extents", "protocol", "pooling"),
    [((18, 76), "2016", "average"), ((37, 40), "modern", "max")],
)
def test_taps_that_poolings_read_in_one_pass(
    weights_of, machine, extents, protocol, pooling, precision
):
    problem = problems.make(weights_of, "vgg16", *extents, protocol, pooling=pooling)
    third = problem.network.taps[2].node
    problem = dataclasses.replace(problem, network=problem.network.upto(third))
    found = tiled(problem, machine(precision), 16)
    assert len(found.grid.tiles) > 3
    programs = found._tiles._drafts.of(found.grid.tiles[0])
    kernels = {getattr(s, "kernel", "") for p in programs.all for s in p.steps}
    assert {"gram_64", "gram_128", "gather", "tapped_64", "tapped_128"} < kernels
    bounds = (1e-4, 2**-7) if precision == "bf16" else (1e-5, 2e-5)
    problems.agree(
        found, CudaEngine(problem, machine(precision)), problem.start, *bounds
    )


@pytest.mark.usefixtures("few")
def test_the_first_convolutions_by_warpgroups(weights_of, machine, monkeypatch):
    monkeypatch.setattr(first, "LEAST", 1)
    monkeypatch.setattr(first, "ALONE", 3)
    problem = shallow(problems.make(weights_of, "vgg16", 20, 60, "modern"))
    found = tiled(problem, machine("tf32", units=Units.WGMMA), 32)
    true = CudaEngine(problem, machine("tf32", units=Units.WGMMA))
    problems.agree(found, true, problem.start, 1e-5, 2e-5)


@settings(max_examples=5)
@given(
    st.sampled_from(["vgg16", "nin"]),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(8, 100),
)
def test_they_agree_at_any_size(weights_of, name, height, width, side):
    if host_machine.COMPILER is None:
        pytest.skip(host_machine.MISSING)
    machine = host_machine.HostMachine
    least = problems.smallest(name, "2016")
    problem = problems.smooth(
        problems.make(weights_of, name, least + height, least + width, "2016")
    )
    found = tiled(problem, machine(), side)
    problems.agree(found, CudaEngine(problem, machine()), problem.start, 1e-5, 1e-5)


@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_the_picture_goes_the_same_way(weights_of, machine, protocol):
    problem = problems.make(weights_of, "vgg16", 25, 40, protocol, iterations=6)
    problem = shallow(problem)
    if protocol == "2016":
        problem.start[0, 0, 0, 0] = 500
    found, true = tiled(problem, machine(), 16), CudaEngine(problem, machine())
    for _ in range(6):
        assert found.step()().total == pytest.approx(true.step()().total, rel=1e-4)
    apart = np.abs(found.image - true.image)
    assert apart.mean() < 0.01
    assert found.is_finite
    state = found.state
    assert (state.done, state.scheduled) == (6, 6)
    assert problems.relative(state.second, true.state.second) < 1e-2
    other = tiled(problem, machine(), 32)
    other.restore(state)
    assert other.step()().total == pytest.approx(found.step()().total, rel=1e-5)
    problem.start[0, 1, 7, 3] = np.nan
    still = np.zeros_like(problem.start)
    other.restore(State(problem.start, still, still, 0, 0))
    assert not other.is_finite


def test_programs_are_captured_once_and_it_waits_once_an_iteration(weights_of, machine):
    problem = shallow(problems.make(weights_of, "vgg16", 40, 40, "modern"))
    device = machine()
    found = tiled(problem, device, 16)
    found.step()
    captures, waits, blocks = device.captures, device.waits, len(device.blocks)
    for _ in range(3):
        found.step()
    assert device.captures == captures
    assert len(device.blocks) == blocks
    # The matrices of two taps and the total variation, whatever the number of tiles.
    assert len(found.grid.tiles) == 9
    assert device.waits == waits + 3 * (2 + 1)


def test_nothing_is_read_before_it_is_written(weights_of, machine):
    problem = shallow(problems.make(weights_of, "vgg16", 41, 50, "modern"))
    device = machine()
    found = tiled(problem, device, 16)
    losses, gradient = found.evaluate(problem.start)
    for name in ("arena", "slope"):
        place = found._tiles._addresses[name]
        device.view(place, device.size(place), np.uint8)[:] = 0xFF  # NaN
    again, same = found.evaluate(problem.start)
    assert again == losses
    np.testing.assert_array_equal(same, gradient)
