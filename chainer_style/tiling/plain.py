"""Tiles by engines that know nothing of tiles: their windows are pictures to them.

A window has the receptive fields of all that is a tile's own. Where it ends within the
picture, the padding that an engine finds there reaches only what is not.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from chainer_style.networks import Network
from chainer_style.networks.regions import Region
from chainer_style.tiling.base import Aim, Array, Passed, Tiles, off_by
from chainer_style.tiling.grid import Grid, Tile
from chainer_style.weights import Arrays


class Pass(abc.ABC):
    """A network for pictures of one size, forward and back."""

    @abc.abstractmethod
    def forward(self, pixels: Array) -> Mapping[str, Array]:
        """Return the features at the taps; valid until the next call."""

    @abc.abstractmethod
    def backward(self, gradients: Mapping[str, Callable[[Array], None]]) -> Array:
        """Return the gradient of the last picture.

        Parameters
        ----------
        gradients
            By tap, what writes the gradient of its features into an array of zeros.
        """


class PlainTiles(Tiles):
    """Tiles as small pictures; the way back computes everything anew.

    Parameters
    ----------
    grid
        The tiles.
    make
        Makes a pass for a network and a height and width.
    scales
        By tap with a content loss: twice its weight over the map's numbers.
    """

    def __init__(
        self,
        grid: Grid,
        make: Callable[[Network, int, int], Pass],
        scales: Mapping[str, float],
    ) -> None:
        self._grid, self._make, self._scales = grid, make, scales
        self._passes: dict[tuple[Any, ...], Pass] = {}
        self._errors: Mapping[str, Array] = {}

    @property
    def sides(self) -> Mapping[str, int]:
        """The numbers of channels (see `Tiles`)."""
        nodes = (tap.node for tap in self._grid.network.taps)
        return {node: self._grid.shapes[node].channels for node in nodes}

    def survey(self, windows: Iterable[tuple[Tile, Array]]) -> Array:
        """Return the sums of the Gram matrices (see `Tiles`)."""
        sums = np.zeros(sum(side**2 for side in self.sides.values()))
        matrices = self.matrices(sums)
        for tile, pixels in windows:
            for node, features in self._own(tile, pixels).items():
                flat = features.reshape(-1, features.shape[2])
                matrices[node] += flat.T @ flat
        return sums

    def features(self, tile: Tile, pixels: Array) -> dict[str, Array]:
        """Return a tile's own features (see `Tiles`)."""
        own = self._own(tile, pixels)
        return {node: own[node] for node in self._scales.keys() & own.keys()}

    def forget(self, tile: Tile) -> None:
        """Return at once: nothing is kept (see `Tiles`)."""

    def compare(self, sums: Array, aims: Mapping[str, Aim]) -> dict[str, float]:
        """Keep what they are off by (see `Tiles`)."""
        self._errors, squares = off_by(self, sums, aims)
        return squares

    def back(self, tile: Tile, pixels: Array, content: Mapping[str, Array]) -> Passed:
        """Return the gradient of a tile's losses (see `Tiles`)."""
        own = self._own(tile, pixels)
        parts, sums = {}, {}
        for node, features in own.items():
            error = self._errors[node].astype(features.dtype, copy=False)
            parts[node] = features @ error
            if node in self._scales:
                difference = features - content[node]
                sums[node] = float(np.vdot(difference, difference))
                parts[node] += self._scales[node] * difference
        writers = {node: self._writer(tile, node, part) for node, part in parts.items()}
        gradient = self._pass(tile).backward(writers)
        window, inner = _aligned(tile, self._grid.step), tile.window
        return Passed(gradient[inner.within(window).slices], lambda: sums)

    def _writer(self, tile: Tile, node: str, part: Array) -> Callable[[Array], None]:
        where = self._where(tile, node).slices

        def write(gradient: Array) -> None:
            gradient[...] = 0
            gradient[where] = part

        return write

    def _own(self, tile: Tile, pixels: Array) -> dict[str, Array]:
        """Return a tile's own features; valid until the next tile."""
        window, inner = _aligned(tile, self._grid.step), tile.window
        # What lies before the first receptive field has no influence.
        wider = np.zeros((window.height, window.width, pixels.shape[2]), pixels.dtype)
        wider[inner.within(window).slices] = pixels
        values = self._pass(tile).forward(wider)
        return {
            node: values[node][self._where(tile, node).slices] for node in tile.taps
        }

    def _where(self, tile: Tile, node: str) -> Region:
        """Return where a tap's own positions lie in the map of the window."""
        window, stride = _aligned(tile, self._grid.step), self._grid.strides[node]
        start = Region(window.top // stride, window.left // stride, 0, 0)
        return tile.taps[node].within(start)

    def _pass(self, tile: Tile) -> Pass:
        window = _aligned(tile, self._grid.step)
        key = window.height, window.width, *tile.taps
        if key not in self._passes:
            self._passes[key] = self._make(tile.network, window.height, window.width)
        return self._passes[key]


def _aligned(tile: Tile, step: int) -> Region:
    """Return a window that begins where positions of all maps do."""
    top, left, bottom, right = tile.window
    return Region(top // step * step, left // step * step, bottom, right)


class NumpyPass(Pass):
    """A pass of engine ``numpy``; see `chainer_style.engines.static.plan.Plan`."""

    def __init__(
        self, network: Network, arrays: Arrays, height: int, width: int, dtype: Any
    ) -> None:
        from chainer_style.engines.static.plan import Plan

        self._plan = Plan(network, arrays, height, width, dtype)

    def forward(self, pixels: Array) -> Mapping[str, Array]:
        """Return the features (see `Pass`)."""
        self._plan.forward(pixels)
        return self._plan.values

    def backward(self, gradients: Mapping[str, Callable[[Array], None]]) -> Array:
        """Return the gradient (see `Pass`)."""
        return self._plan.backward(gradients)
