from __future__ import annotations

import math

import problems
import pytest

from chainer_style.engines.base import Device
from chainer_style.engines.cpu import choice
from chainer_style.engines.cpu.costs import Cost, cost
from chainer_style.engines.cpu.engine import CpuEngine


@pytest.mark.parametrize(
    "rates", choice.RATES, ids=lambda rates: str(rates.multiply_adds)
)
def test_the_operations_of_an_iteration(weights_of, monkeypatch, rates):
    """Winograd's convolutions by hand, and all others as the graph counts them."""
    monkeypatch.setattr(choice, "rates", lambda: rates)
    size = 64
    problem = problems.make(weights_of, "vgg16", size, size, "modern")
    plan = CpuEngine(problem, Device(threads=1)).plan
    found = {
        line.name: cost(step)
        for line, step in zip(plan.draft.lines, plan.program, strict=True)
    }
    # F(4, 3): 36 products for 16 results; gradients may take F(8, 3), 100 for 64. The
    # last maps take F(2, 3).
    made = choice.tiles(problem.network, size, size)
    planes = {back: (made["conv2_2", back] + 2) ** 2 for back in (False, True)}
    there, back = found["conv2_2"], found["conv2_2 back"]
    assert there.flops == 2 * 36 * 8 * 8 * 128 * 128
    tiles = math.ceil(32 / made["conv2_2", True]) ** 2
    assert back.flops == 2 * planes[True] * tiles * 128 * 128
    # They read as many filters as they have planes, and maps of one size.
    more = 4 * 128 * 128 * (planes[True] - planes[False])
    assert back.bytes - there.bytes == more
    assert found["conv1_1"].flops == 2 * size**2 * 27 * 64
    total = sum(found.values(), Cost())
    direct = 2 * problem.network.flops(size, size)
    assert direct / 4.2 < total.flops < direct / 2.5
    moved = found["Adam and clip"].bytes
    assert moved == 7 * 4 * 3 * size**2


@pytest.mark.parametrize("name", ["conv4-1024", "conv4-1024 back"])
def test_the_operations_of_a_direct_convolution(weights_of, name):
    """By hand: along an axis, the first and the last pair are not within the map."""
    problem = problems.make(weights_of, "nin", 150, 110, "2016")
    shape = problem.network.shapes(150, 110)["conv4-1024"]
    assert (shape.height, shape.width) == (3, 2)
    plan = CpuEngine(problem, Device(threads=1)).plan
    names = [line.name for line in plan.draft.lines]
    found = cost(plan.program[names.index(name)])
    assert found.flops == 2 * (3 * 3 - 2) * (3 * 2 - 2) * 384 * 1024
    assert found.bytes == 4 * (9 * 384 * 1024 + 3 * 2 * (384 + 1024))


def test_a_floor_is_the_larger_of_two():
    assert Cost(100, 100).floor(10, 50) == pytest.approx(10)
    assert Cost(100, 100).floor(50, 10) == pytest.approx(10)
