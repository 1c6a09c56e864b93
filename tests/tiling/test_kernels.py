"""What tiles of compiled kernels say of Gram matrices, against double precision."""

from __future__ import annotations

import numpy as np
import problems
import pytest
import reference

from chainer_style.engines.cpu import compiled
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.engines.cpu.parameters import Parameters
from chainer_style.engines.cpu.team import team
from chainer_style.tiling.base import Aim
from chainer_style.tiling.grid import Grid
from chainer_style.tiling.kernels import CompiledTiles


@pytest.fixture(params=[1, 3])
def tiles(request, weights_of, kernels):
    """Return tiles of NIN, whose first tap has channels that only fill up."""
    compiled.load()
    problem = problems.make(weights_of, "nin", 150, 130, "2016")
    network = problem.network
    return CompiledTiles(
        Grid(network, 150, 130, 64),
        problem.weights.arrays,
        Parameters(network, 150, 130),
        team(request.param),
        {},
        again=0,
    )


def test_sums_are_those_of_the_features(tiles, weights_of, random):
    pixels = random.normal(0, 60, (150, 130, 3)).astype(np.float32)
    grid = tiles._grid
    assert len(grid.tiles) > 3
    windows = [(tile, pixels[tiles.window(tile).slices]) for tile in grid.tiles]
    found = tiles.matrices(tiles.survey(windows))
    arrays = weights_of("nin").arrays
    wide = pixels.transpose(2, 0, 1).astype(float)
    taps = reference.features(reference.LAYERS["nin"], arrays, wide)
    for (node, side), features in zip(tiles.sides.items(), taps, strict=True):
        flat = features.reshape(len(features), -1)
        true = np.zeros((side, side))
        true[: len(flat), : len(flat)] = flat @ flat.T
        whole = tiles.whole(found[node])
        np.testing.assert_array_equal(whole, whole.T)
        np.testing.assert_allclose(whole, true, rtol=1e-4, atol=1e-5 * true.max())


def test_what_they_are_off_by(tiles, random):
    """Packed; it reads nothing below the panels on the diagonal."""
    sums = np.zeros(sum(side**2 for side in tiles.sides.values()))
    aims, true, squares = {}, {}, {}
    for i, (node, matrix) in enumerate(tiles.matrices(sums).items()):
        side, size = len(matrix), 50 + i
        style, own = random.normal(size=(2, side, side))
        style, own = style + style.T, own + own.T
        panel = np.arange(side) // PANEL
        matrix[...] = np.where(panel[:, None] > panel, np.nan, own)
        aims[node] = Aim(style, 0.0, 0.3 + i, side - 3, size)
        error = own / size - style
        squares[node] = np.square(error).sum()
        error *= 4 * (0.3 + i) / (side - 3) ** 2 / size
        true[node] = error.reshape(side, -1, PANEL).swapaxes(0, 1)
    assert tiles.compare(sums, aims) == pytest.approx(squares, rel=1e-12)
    for node, error in true.items():
        np.testing.assert_allclose(tiles._errors[node], error, rtol=1e-6, atol=0)
