"""An engine that computes a picture tile by tile: same losses, same gradient."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainer_style import memory
from chainer_style.engines.base import Engine, Losses, Problem, State, all_finite
from chainer_style.engines.static.objective import layout, quiet, tap_weights
from chainer_style.engines.steps import corrected_rate, epsilon
from chainer_style.networks import Network
from chainer_style.tiling.base import Array, Tiles, square
from chainer_style.tiling.content import Content
from chainer_style.tiling.grid import Grid, Tile
from chainer_style.tiling.picture import Picture

if TYPE_CHECKING:
    from chainer_style.tiling import budget

Maker = Callable[[Grid, Mapping[str, float], bool], Tiles]
"""Makes tiles of a grid, given the scales of the content's differences by tap, and
whether there is a way back."""


@dataclass(frozen=True)
class Aim:
    """What a tap is compared with.

    Attributes
    ----------
    style
        Gram matrix of the style picture.
    content_weight, style_weight
        Of the mean squares of the differences.
    """

    style: Array
    content_weight: float
    style_weight: float


class TiledEngine(Engine):
    """Style transfer tile by tile.

    The Gram matrices of all tiles are added up on a way forth; a way back then follows
    what the whole picture's are off by. Every position of a tapped map belongs to one
    tile, and so the gradients of all tiles add up to that of the picture.

    Parameters
    ----------
    name
        Of what computes the tiles.
    problem
        What to compute. Its pictures are let go of once they were read.
    make
        Makes what computes tiles.
    side
        Pixels of a tile; see `Grid`.
    content
        Keeps the content picture's features.
    dtype
        Of all arithmetic.

    Attributes
    ----------
    grid
        The tiles.
    cut
        How they were chosen, where they were chosen by memory.
    """

    def __init__(
        self,
        name: str,
        problem: Problem,
        make: Maker,
        side: int,
        content: Content,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.name = name  # type: ignore[misc]
        self.cut: budget.Cut | None = None
        self._dtype = np.dtype(dtype)
        self._content = content
        self._taps = {tap.node: tap for tap in problem.network.taps}
        self.grid = grid_of(problem.network, problem.content, side)
        with quiet():
            self._aims = self._targets(problem, make)
        memory.trim()  # of what that needed
        self._tiles = make(self.grid, self._scales(), True)
        start = layout(problem.start, self._dtype)
        protocol = problem.protocol
        self._picture = Picture(
            start,
            problem.canvas,
            epsilon(protocol, *start.shape[:2]),
            by_pixel=protocol.pixelwise_clip,
        )
        self.problem = _hollow(problem)
        self._done = self._scheduled = 0

    # -- targets ----------------------------------------------------------

    def _targets(self, problem: Problem, make: Maker) -> dict[str, Aim]:
        protocol = problem.protocol
        style = grid_of(problem.network, problem.style, self.grid.side)
        pixels = _rows(problem.style, self._dtype)
        tiles = make(style, {}, False)
        grams = self._grams(style, tiles, pixels, forget=True)
        del tiles
        counted = {
            node: 1.0
            for node, tap in self._taps.items()
            if tap.content or protocol.relative_losses
        }
        pixels = _rows(problem.content, self._dtype)
        tiles = make(self.grid, counted, False)
        squares = dict.fromkeys(counted, 0.0)
        for tile in self.grid.tiles:
            found = tiles.features(tile, pixels[tile.window.slices])
            for node, energy in self._learn(tile, found).items():
                squares[node] += energy
            del found  # what it lies in can go
            tiles.forget(tile)
        aims = {}
        for node, tap in self._taps.items():
            size = self.grid.shapes[node].size
            energy = squares.get(node, size) / size
            side = self.grid.shapes[node].channels
            style_energy = square(grams[node]) / side**2
            weights = tap_weights(protocol, tap, energy, style_energy, len(self._taps))
            aims[node] = Aim(grams[node], *weights)
        return aims

    def _learn(self, tile: Tile, found: Mapping[str, Array]) -> dict[str, float]:
        """Keep the content's features of a tile, and return the sums of squares."""
        for node, features in found.items():
            if self._taps[node].content:
                self._content.keep(tile.number, node, features)
        return {node: square(features) for node, features in found.items()}

    def _scales(self) -> dict[str, float]:
        return {
            node: 2 * aim.content_weight / self.grid.shapes[node].size
            for node, aim in self._aims.items()
            if self._taps[node].content
        }

    def _grams(
        self, grid: Grid, tiles: Tiles, pixels: Array, forget: bool = False
    ) -> dict[str, Array]:
        """Return the Gram matrices of a picture, in double precision."""
        sums: dict[str, Array] = {}
        for tile in grid.tiles:
            found = tiles.sums(tile, pixels[tile.window.slices])
            for node, matrix in found.items():
                if node in sums:
                    sums[node] += matrix
                else:
                    sums[node] = matrix.astype(np.float64)
            if forget:
                tiles.forget(tile)
        return {node: total / grid.shapes[node].size for node, total in sums.items()}

    # -- what an engine does ----------------------------------------------

    def evaluate(self, image: npt.NDArray[Any]) -> tuple[Losses, npt.NDArray[Any]]:
        """Return the losses at a picture, and the gradient (see `Engine`)."""
        before = self._picture.pixels
        self._picture.pixels = layout(image, self._dtype)
        losses = self._evaluate()
        self._picture.pixels = before
        return losses, self._picture.gradient.transpose(2, 0, 1)[None].copy()

    def step(self) -> Callable[[], Losses]:
        """Do one iteration (see `Engine`)."""
        losses = self._evaluate()
        self._done += 1
        rate = corrected_rate(self.problem.protocol, self._scheduled, self._done)
        self._scheduled += 1
        with quiet():
            self._picture.move(rate)
        return lambda: losses

    def _evaluate(self) -> Losses:
        with quiet():
            style = self._survey()
            content = self._descend()
            variation = 0.0
            if weight := self.problem.protocol.tv_weight:
                variation = self._picture.vary(weight)
        total = sum(content) + sum(style) + variation
        return Losses(total, content, style, variation)

    def _survey(self) -> tuple[float, ...]:
        """Return the style losses, and tell all tiles what follows from them."""
        grams = self._grams(self.grid, self._tiles, self._picture.pixels)
        losses, errors = [], {}
        for node, aim in self._aims.items():
            shape = self.grid.shapes[node]
            error = grams[node] - aim.style
            losses.append(aim.style_weight * square(error) / shape.channels**2)
            # The derivative of a mean of squares, through F F^T, which counts twice.
            error *= 4 * aim.style_weight / shape.channels**2 / shape.size
            errors[node] = error.astype(self._dtype)
        self._tiles.aim(errors)
        return tuple(losses)

    def _descend(self) -> tuple[float, ...]:
        """Write the gradient of all tiles, and return the content losses."""
        pixels, gradient = self._picture.pixels, self._picture.gradient
        gradient[...] = 0
        sums = dict.fromkeys(self._taps, 0.0)
        # What the last tile left in the caches is of use to the first one.
        for tile in reversed(self.grid.tiles):
            window = tile.window.slices
            with self._content.of(tile.number) as content:
                passed = self._tiles.back(tile, pixels[window], content)
            gradient[window] += passed.gradient
            for node, total in passed.content.items():
                sums[node] += total
        return tuple(
            self._aims[node].content_weight * total / self.grid.shapes[node].size
            for node, total in sums.items()
        )

    @property
    def image(self) -> npt.NDArray[np.float32]:
        """A copy of the picture as it stands (see `Engine`)."""
        return _planes(self._picture.pixels)

    @property
    def state(self) -> State:
        """How far it is, in copies (see `Engine`)."""
        first, second = map(_planes, self._picture.moments)
        return State(self.image, first, second, self._done, self._scheduled)

    def restore(self, state: State) -> None:
        """Go on from a state (see `Engine`)."""
        ours = self._picture.pixels, *self._picture.moments
        given = state.image, state.first, state.second
        for own, array in zip(ours, given, strict=True):
            np.copyto(own, array[0].transpose(1, 2, 0))
        self._done, self._scheduled = state.done, state.scheduled

    @property
    def layout(self) -> str:
        """How the picture is cut, and what that takes (see `Engine`)."""
        if self.cut:
            return self.cut.words
        return f"{len(self.grid.tiles)} tiles of {self.grid.side} px"

    @property
    def is_finite(self) -> bool:
        """Whether every pixel is a number."""
        return all_finite(self._picture.pixels)

    def synchronize(self) -> None:
        """Return at once: all is done when a step returns."""


def grid_of(network: Network, picture: Array, side: int) -> Grid:
    """Return the tiles of a picture, (1, 3, height, width)."""
    _, _, height, width = picture.shape
    return Grid(network, height, width, side)


def _rows(picture: Array, dtype: np.dtype[Any]) -> Array:
    """Return a picture as (height, width, channels), which is no copy if it can be."""
    rows: Array = picture[0].transpose(1, 2, 0).astype(dtype, copy=False)
    return rows


def _planes(picture: Array) -> npt.NDArray[np.float32]:
    """Return a copy, (1, 3, height, width)."""
    return np.array(picture.transpose(2, 0, 1)[None], np.float32, order="C")


def _hollow(problem: Problem) -> Problem:
    """Return a problem whose pictures take no memory: shapes are left of them."""
    nothing = np.float32(np.nan)
    return dataclasses.replace(
        problem,
        content=np.broadcast_to(nothing, problem.content.shape),
        style=np.broadcast_to(nothing, problem.style.shape),
        start=np.broadcast_to(nothing, problem.start.shape),
    )
