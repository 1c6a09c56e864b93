"""How long an iteration will take here, from one tile of it."""

from __future__ import annotations

import time

import numpy as np

from chainer_style.engines.cpu import compiled
from chainer_style.engines.cpu.team import team
from chainer_style.networks import Network
from chainer_style.tiling.budget import Cut
from chainer_style.tiling.grid import Grid, Tile
from chainer_style.tiling.kernels import CompiledTiles
from chainer_style.weights import Arrays


def seconds(cut: Cut, by: Cut, threads: int) -> float:
    """Return what an iteration is expected to take.

    A tile of the most frequent geometry is computed forth and back, of zeros by zeros,
    and all others are taken to need as many times longer as they are predicted to
    (`chainer_style.tiling.budget.Cut.floors`). Adam, and what else the picture needs
    by itself, is left out.

    Parameters
    ----------
    cut
        Whose iteration. Nothing of the picture's size is allocated.
    by
        Whose tile: it may be cut smaller.
    threads
        That will run it.
    """
    compiled.load()
    drafts, _ = max(by.drafts, key=lambda found: found[1])
    tile = drafts.tile
    (floor,) = (floor for one, _, floor in by.floors if one is tile)
    tiles = CompiledTiles(
        _Single(by.grid, tile),
        _zeros(by.grid.network),
        by.parameters,
        team(threads),
        by.scales,
        by.layout.again,
    )
    window = tile.window
    pixels = np.zeros((window.height, window.width, 3), np.float32)
    own = {node: drafts.maps[node] for node in by.scales.keys() & drafts.maps}
    content = {
        node: np.zeros((part.height, part.width, part.channels), np.float32)
        for node, part in own.items()
    }
    lasted = 0.0
    for _ in range(TURNS):
        begin = time.perf_counter()
        tiles.survey([(tile, pixels)])
        tiles.back(tile, pixels, content)
        lasted = time.perf_counter() - begin
    return lasted * cut.seconds / floor


TURNS = 2
"""Of the tile; only the last counts, for the first finds memory that nobody touched."""


class _Single(Grid):
    """One tile of a grid, as if there were no others."""

    def __init__(self, grid: Grid, tile: Tile) -> None:
        super().__init__(grid.network, grid.height, grid.width, grid.side)
        object.__setattr__(self, "tiles", [tile])


def _zeros(network: Network) -> Arrays:
    """Return weights of zeros, of which no two take memory of their own."""
    nothing = np.zeros((), np.float32)
    return {
        layer: {name: np.broadcast_to(nothing, shape) for name, shape in own.items()}
        for layer, own in network.parameter_shapes().items()
    }
