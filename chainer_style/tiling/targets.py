"""What the taps are compared with, computed tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainer_style.engines.base import Problem
from chainer_style.engines.static.objective import layout, quiet, tap_weights
from chainer_style.tiling.base import Aim, Array, Tiles, square
from chainer_style.tiling.content import Content
from chainer_style.tiling.grid import Grid, Tile
from chainer_style.tiling.ranks import Ranks

Maker = Callable[[Grid, Mapping[str, float], bool], Tiles]
"""Makes tiles of a grid, given the scales of the content's differences by tap, and
whether there is a way back."""


@dataclass(frozen=True)
class Targets:
    """Computes targets, by all ranks together.

    Attributes
    ----------
    problem
        What is computed.
    make
        Makes what computes tiles.
    grid
        This rank's tiles of the content picture.
    ranks
        All of them.
    dtype
        Of all arithmetic.
    """

    problem: Problem
    make: Maker
    grid: Grid
    ranks: Ranks
    dtype: np.dtype[Any]

    def aims(self, content: Content) -> dict[str, Aim]:
        """Return what each tap is compared with.

        Parameters
        ----------
        content
            Is given the content picture's features to keep.
        """
        taps, protocol = self.problem.network.taps, self.problem.protocol
        with quiet():
            grams = self._grams()
            squares = self._squares(content)
        aims = {}
        for tap in taps:
            shape = self.grid.shapes[tap.node]
            energy = squares.get(tap.node, shape.size) / shape.size
            style = square(grams[tap.node]) / shape.channels**2
            weights = tap_weights(protocol, tap, energy, style, len(taps))
            aims[tap.node] = Aim(grams[tap.node], *weights, shape.channels, shape.size)
        return aims

    def scales(self, aims: Mapping[str, Aim]) -> dict[str, float]:
        """Return, by tap with a content loss, twice its weight over its numbers."""
        nodes = [tap.node for tap in self.problem.network.taps if tap.content]
        return {node: aims[node].content_scale for node in nodes}

    def _grams(self) -> dict[str, Array]:
        """Return the style picture's Gram matrices, in double precision."""
        height, width = self.problem.style.shape[2:]
        side, unit = self.grid.side, self.grid.unit
        grid = Grid(self.problem.network, height, width, side, unit=unit)
        tiles = self.make(grid, {}, False)

        def windows() -> Iterator[tuple[Tile, Array]]:
            for tile in grid.tiles[self.ranks.number :: self.ranks.count]:
                rows, columns = tiles.window(tile).slices
                part = self.problem.style[:, :, rows, columns]
                yield tile, layout(part, self.dtype)
                tiles.forget(tile)

        sums = tiles.survey(windows())
        self.ranks.add(sums)
        return {
            node: tiles.whole(matrix) / grid.shapes[node].size
            for node, matrix in tiles.matrices(sums).items()
        }

    def _squares(self, content: Content) -> dict[str, float]:
        """Keep the content picture's features, and return their sums of squares.

        Of those taps alone whose weights depend on them.
        """
        relative = self.problem.protocol.relative_losses
        weights = {tap.node: tap.content for tap in self.problem.network.taps}
        counted = {node: 1.0 for node, own in weights.items() if own or relative}
        tiles = self.make(self.grid, counted, False)
        squares = dict.fromkeys(counted, 0.0)
        for tile in self.grid.tiles:
            rows, columns = tiles.window(tile).slices
            part = self.problem.content[:, :, rows, columns]
            found = tiles.features(tile, layout(part, self.dtype))
            for node in found:
                squares[node] += square(found[node])
                if weights[node]:
                    content.keep(tile.number, node, found[node])
            del found  # what they lie in can go
            tiles.forget(tile)
        totals = np.array(list(squares.values()))
        self.ranks.add(totals)
        return dict(zip(squares, map(float, totals), strict=True))
