"""Windows of the same extents for all tiles: one choice of cuDNN's plans serves all."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from chainer_style.networks import INPUT
from chainer_style.networks.regions import Region
from chainer_style.tiling.grid import Grid, Tile


class Windows:
    """Where they are.

    A window has the receptive fields of all that is its tile's own, and some pixels
    more. Where it ends within the picture, the padding that is found there reaches only
    what is not the tile's; where a tile sees the picture's end, it ends there, too.

    Parameters
    ----------
    grid
        The tiles.

    Attributes
    ----------
    extents
        Height and width of all of them.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        needed = [tile.window for tile in grid.tiles]
        down = [(one.top, one.bottom) for one in needed]
        right = [(one.left, one.right) for one in needed]
        self.extents = (
            self._extent(down, grid.height),
            self._extent(right, grid.width),
        )

    def _extent(self, needed: Sequence[tuple[int, int]], length: int) -> int:
        """Return the least extent that serves some spans of pixels."""
        step = self._grid.step
        least = max(end - start // step * step for start, end in needed)
        # The last one begins at a multiple of the step, and ends with the picture.
        return least + (length - least) % step

    def of(self, tile: Tile) -> Region:
        """Return the pixels of a tile's window."""
        grid, (height, width), step = self._grid, self.extents, self._grid.step
        top = min(tile.window.top // step * step, grid.height - height)
        left = min(tile.window.left // step * step, grid.width - width)
        return Region(top, left, top + height, left + width)

    def own(self, tile: Tile) -> dict[str, Region]:
        """Return the positions of each tap that are a tile's own, in its window."""
        window, strides = self.of(tile), self._grid.strides
        found = {}
        for node, region in tile.taps.items():
            stride = strides[node]
            start = Region(window.top // stride, window.left // stride, 0, 0)
            found[node] = region.within(start)
        return found

    @functools.cached_property
    def planes(self) -> int:
        """Of the picture."""
        return self._grid.shapes[INPUT].channels
