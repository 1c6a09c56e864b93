from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainer_style import networks
from chainer_style.engines.cpu import choice, division, filters
from chainer_style.engines.cpu.compiler import Compiler
from chainer_style.engines.cpu.draft import Map
from chainer_style.engines.cpu.kernels import access, steps
from chainer_style.engines.cpu.parameters import Parameters
from chainer_style.networks.nodes import Shape


@given(st.integers(1, 5000), st.integers(1, 600), st.integers(1, 16))
def test_blocks_cover_everything_and_are_about_as_large(total, block, threads):
    size = division._balanced(total, block, threads)
    assert 1 <= size <= max(block, 1)
    count = -(-total // size)
    assert count * size >= total
    assert count <= -(-total // block) + threads


@pytest.mark.parametrize("name", networks.NETWORKS)
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_every_convolution_has_work_for_all_threads(name, threads):
    network = networks.get(name).upto_taps()
    size = 128
    compiler = Compiler(network, size, size, Parameters(network, size, size), threads)
    compiler.forward()
    compiler.backward(lambda node, uses, add: None)
    for line in compiler.draft.lines:
        step = line.step[0]
        if line.name.split()[0].startswith("conv") and step["panels"] >= threads:
            assert step["units"] >= threads, line.name


@given(st.integers(1, 5000), st.integers(1, 60), st.integers(1, 5))
def test_blocks_of_a_convolution_are_all_about_as_large(total, blocks, cut):
    """A last one with what is left would have one thread wait for the other."""
    step = steps.step("windows", blocks * cut, shares=cut).view(np.recarray)[0]
    found = [access.block.py_func(step, unit, total) for unit in range(blocks * cut)]
    ends = [first + count for first, count in found]
    assert found[0][0] == 0
    assert ends[-1] == total
    for unit in range(cut, blocks * cut):
        assert found[unit][0] == ends[unit - cut]
    sizes = {count for _, count in found}
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) == math.ceil(total / blocks)


@given(st.integers(1, 300), st.integers(1, 64), st.integers(1, 16))
def test_steps_over_a_map_are_shared_out_unless_they_are_tiny(side, groups, threads):
    shape = Map.of(Shape(32 * groups, side, side))
    block = division.positions(shape, threads)
    fair = math.ceil(shape.positions / threads)
    assert 1 <= block <= max(fair, math.ceil(division.FEW / shape.channels))


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_light_filters_are_read_by_all_threads(threads):
    """Positions are cut then: panels are few, and seldom as many for each."""
    shape = Map.of(Shape(96, 30, 30))
    conv = networks.get("nin")["cccp1"]
    found = filters.way(conv, 96, raw=False, backward=False, made=0)
    cut = division.convolution(found, shape, shape, threads)
    assert cut.values["shares"] == 1
    assert cut.units % threads == 0
    assert cut.units * cut.values["positions"] >= shape.positions


def test_threads_read_parts_of_filters_apart_unless_tiles_take_longer(rates):
    """As measured on Zen 3 with two threads: NIN at 256 px, VGG-16 at 64 px."""
    # 14 and 5 MB of filters, and 16 tiles that are transformed in no time.
    assert choice.are_apart(4, 3, 16, (256, 384), threads=2)
    assert choice.are_apart(4, 3, 16, (128, 256), threads=2)
    # Tiles that see 10 inputs: worth it only where products are done in no time, too.
    fast = rates.multiply_adds == 32
    assert choice.are_apart(6, 5, 25, (256, 96), threads=2) == fast
    assert choice.are_apart(8, 3, 16, (128, 64), threads=2) == fast


@pytest.mark.parametrize("side", [5, 6, 7, 10])
def test_losses_of_few_positions_are_summed_in_blocks_for_two_threads(side):
    shape = Map.of(Shape(1024, side, side))
    units = -(-shape.positions // division.summed(shape))
    assert units % 2 == 0


@given(st.integers(1, 300), st.integers(1, 300))
def test_the_slots_of_a_gram_matrix_cover_all_positions(height, width):
    slots = division.slots(Map.of(Shape(64, height, width)))
    assert sum(slots) == height * width
    assert set(slots[:-1]) <= {slots[0]}
    assert 0 < slots[-1] <= slots[0]


@pytest.fixture(params=choice.RATES, ids=lambda rates: str(rates.multiply_adds))
def rates(request, monkeypatch):
    """Choose as on each kind of CPU that constants were fitted on."""
    monkeypatch.setattr(choice, "rates", lambda: request.param)
    return request.param


def test_the_rates_of_this_machine_are_known():
    assert choice.rates() in choice.RATES


@pytest.mark.usefixtures("rates")
def test_larger_maps_have_larger_tiles(monkeypatch):
    monkeypatch.setattr(choice, "FEW", 0)
    sizes = 1, 4, 8, 16, 64, 256, 512
    shapes = [Shape(256, size, size) for size in sizes]
    made = [choice.best(256, shape, backward=True) for shape in shapes]
    assert made == sorted(made)
    assert made[0] == 0
    assert made[-1] == 8


@pytest.mark.usefixtures("rates")
def test_the_largest_tile_is_for_filters_that_maps_outweigh():
    """VGG's of 512 channels would be 105 MB, in a picture of 512 px maps are 17 MB."""
    assert choice.best(256, Shape(256, 128, 128), backward=True) == 8
    assert choice.best(512, Shape(512, 64, 64), backward=True) == 6
    assert choice.best(512, Shape(512, 128, 128), backward=True) == 8
    assert choice.best(256, Shape(256, 64, 64), backward=True) == 8


@pytest.mark.usefixtures("rates")
@pytest.mark.parametrize(("kernel", "largest"), [(3, 6), (5, 4)])
def test_the_largest_tiles_are_for_gradients(kernel, largest):
    """Forth, signs of ReLUs would come out otherwise for their error."""
    shape = Shape(256, 256, 256)
    assert choice.best(256, shape, kernel=kernel) == largest
    assert choice.best(256, shape, kernel=kernel, backward=True) == largest + 2


@pytest.mark.usefixtures("rates")
@pytest.mark.parametrize("size", [128, 256, 512, 1024])
def test_the_gradient_of_the_picture_is_by_tiles_in_spite_of_a_stride(size):
    """Not forth: signs of ReLUs would come out otherwise for their error."""
    for name in ("nin", "alexnet"):
        made = choice.tiles(networks.get(name).upto_taps(), size, size)
        assert made["conv1", False] == 0
        assert made["conv1", True] >= 6
    made = choice.tiles(networks.get("googlenet").upto_taps(), size, size)
    assert made["conv1/7x7_s2", False] == made["conv1/7x7_s2", True] == 0


@pytest.mark.usefixtures("rates")
def test_few_positions_are_not_worth_tiles():
    """Their filters take longer to read than they save."""
    assert choice.best(384, Shape(1024, 2, 2)) == 0
    assert choice.best(96, Shape(256, 14, 14), kernel=5) == 4
    assert choice.best(256, Shape(96, 30, 30), kernel=5, backward=True) == 6


def test_filters_are_transformed_as_used_where_reading_them_is_all(rates):
    fast = rates.multiply_adds == 32
    assert choice.is_fresh(4, 512, Shape(512, 8, 8)) == fast
    assert not choice.is_fresh(2, 512, Shape(512, 8, 8))
    assert not choice.is_fresh(4, 512, Shape(512, 8, 8), half=True)
    assert not choice.is_fresh(4, 512, Shape(512, 32, 32))
    assert not choice.is_fresh(4, 256, Shape(256, 16, 16))


@pytest.mark.usefixtures("rates")
def test_small_maps_have_one_copy_of_their_filters():
    """Of NIN at 128 px, the last convolution's: 14 MB, and a line for each panel."""
    network = networks.get("nin").upto_taps()
    parameters = Parameters(network, 128, 128)
    conv = network["conv4-1024"]
    (name, way), again = (parameters.filters(conv, back) for back in (False, True))
    assert again == (name, way)
    assert isinstance(way, filters.Direct)
    assert parameters.size == way.nbytes
    assert 0 < way.nbytes - 4 * 9 * 384 * 1024 <= 64 * way.shape[0]
    larger = Parameters(network, 256, 256)
    names = {larger.filters(conv, back)[0] for back in (False, True)}
    assert len(names) == 2


def test_filters_as_they_are_take_a_quarter():
    conv = networks.get("vgg16")["conv4_2"]
    as_they_are, stored = (
        filters.way(conv, 512, raw=False, backward=False, made=4, fresh=fresh)
        for fresh in (True, False)
    )
    assert 4 * as_they_are.nbytes == stored.nbytes
    assert as_they_are.products == stored.products
