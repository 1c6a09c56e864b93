"""Tiles give the losses, the gradient and the picture of the engine without them."""

from __future__ import annotations

import numpy as np
import problems
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainer_style import engines
from chainer_style.engines.base import Device
from chainer_style.engines.cpu import compiled
from chainer_style.engines.cpu.parameters import Parameters
from chainer_style.engines.cpu.team import team
from chainer_style.tiling.content import Content, ContentOnDisk
from chainer_style.tiling.create import Limits, create
from chainer_style.tiling.engine import TiledEngine
from chainer_style.tiling.kernels import CompiledTiles


def on_kernels(problem, side, again, threads=1, content=Content):
    compiled.load()
    parameters = Parameters(problem.network, side + 90, side + 90)

    def make(grid, scales, back):
        arrays = problem.weights.arrays
        return CompiledTiles(
            grid, arrays, parameters, team(threads), scales, again if back else 0
        )

    return TiledEngine("cpu", problem, make, side, content())


LOSS, GRADIENT, KINKS = 1e-5, 2e-5, 1e-2
"""Relative deviations in single precision. The engine's own gradient, without tiles,
is off by 1e-5 from double precision on noise; tiles are rounded in other places. Where
a feature is all but zero, or all but as large as another, rounding decides whether a
ReLU, or a maximum, lets its gradient pass."""


def agree(found, true, start, bound=LOSS, of_gradient=GRADIENT):
    problems.agree(found, true, start, bound, of_gradient)


@pytest.mark.parametrize(
    ("name", "protocol", "again"),
    [
        ("vgg16", "2016", 0),
        ("vgg16", "modern", 2),
        ("vgg16", "2016", 9),
        ("nin", "2016", 0),
        ("nin", "modern", 9),
        ("googlenet", "2016", 2),
        pytest.param("googlenet", "modern", 9, marks=pytest.mark.slow),
        pytest.param("vgg19", "modern", 1, marks=pytest.mark.slow),
        pytest.param("illust2vec", "modern", 2, marks=pytest.mark.slow),
    ],
)
def test_kernels_agree(weights_of, name, protocol, again):
    least = problems.smallest(name, protocol)
    problem = problems.make(weights_of, name, least + 67, least + 90, protocol)
    tiled = on_kernels(problem, 48, again, threads=2)
    assert len(tiled.grid.tiles) > 3
    agree(tiled, engines.create("cpu", problem, Device()), problem.start)


@settings(max_examples=5)
@given(
    st.sampled_from(["nin", "googlenet"]),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(8, 160),
    st.integers(0, 4),
)
def test_kernels_agree_at_any_size_with_maxima(
    weights_of, name, height, width, side, again
):
    least = problems.smallest(name, "2016")
    problem = problems.make(
        weights_of, name, least + height, least + width, "2016", pooling="max"
    )
    true = engines.create("cpu", problem, Device())
    agree(on_kernels(problem, side, again), true, problem.start, LOSS, KINKS)


@settings(max_examples=10)
@given(
    st.sampled_from(["vgg16", "nin", "googlenet"]),
    st.integers(0, 90),
    st.integers(0, 60),
    st.integers(8, 160),
    st.sampled_from(["average", "l2"]),
    st.integers(0, 4),
)
def test_kernels_agree_at_any_size(
    weights_of, name, height, width, side, pooling, again
):
    least = problems.smallest(name, "2016")
    problem = problems.smooth(
        problems.make(
            weights_of, name, least + height, least + width, "2016", pooling=pooling
        )
    )
    true = engines.create("cpu", problem, Device())
    agree(on_kernels(problem, side, again), true, problem.start, LOSS, LOSS)


@pytest.mark.parametrize("name", ["vgg16", "nin"])
def test_in_double_precision_nothing_is_left(weights_of, name):
    """Of an odd size and not square, to some rounding."""
    least = problems.smallest(name, "modern")
    problem = problems.make(weights_of, name, least + 35, least + 48, "modern")
    limits = Limits(tile=32)
    tiled = create("numpy", problem, Device(), "float64", limits=limits)
    assert isinstance(tiled, TiledEngine)
    true = engines.create("numpy", problem, Device(), "float64")
    agree(tiled, true, problem.start, 1e-12, 1e-12)


def test_chainer_under_tiles_agrees(weights_of):
    problem = problems.make(weights_of, "vgg16", 41, 50, "modern")
    limits = Limits(tile=32)
    tiled = create("chainer", problem, Device(), "float64", limits=limits)
    true = engines.create("chainer", problem, Device(), "float64")
    agree(tiled, true, problem.start, 1e-12, 1e-12)


@pytest.mark.parametrize("content", [Content, ContentOnDisk])
def test_the_picture_after_20_iterations_agrees(weights_of, content):
    problem = problems.make(weights_of, "vgg16", 61, 70, "modern", iterations=20)
    tiled = on_kernels(problem, 32, again=1, threads=2, content=content)
    true = engines.create("cpu", problem, Device())
    for _ in range(20):
        ours, theirs = tiled.step()(), true.step()()
        assert ours.total == pytest.approx(theirs.total, rel=1e-4)
    # Adam's first steps are signs of the gradient: of a few pixels they turn round.
    apart = np.abs(tiled.image - true.image)
    assert apart.mean() < 0.01
    assert apart.max() < 1
    assert tiled.is_finite


def test_the_clip_of_2016_is_kept(weights_of):
    problem = problems.make(weights_of, "vgg16", 40, 40, learning_rate=4.0)
    problem.start[0, 0, 0, 0] = 500
    tiled = on_kernels(problem, 16, again=0)
    tiled.step()
    assert (tiled.image == np.trunc(tiled.image)).all()


def test_pictures_that_were_read_take_no_memory(weights_of):
    problem = problems.make(weights_of, "vgg16", 64, 48, "modern")
    tiled = on_kernels(problem, 32, again=4)
    for kept in (tiled.problem.content, tiled.problem.style, tiled.problem.start):
        assert kept.strides == (0, 0, 0, 0)
    assert tiled.problem.content.shape == problem.content.shape
