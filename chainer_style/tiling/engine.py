"""An engine that computes a picture tile by tile: same losses, same gradient."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainer_style import memory
from chainer_style.engines.base import Engine, Losses, Problem, State, all_finite
from chainer_style.engines.static.objective import layout, quiet
from chainer_style.engines.steps import corrected_rate, epsilon
from chainer_style.tiling.bands import Band
from chainer_style.tiling.base import Array
from chainer_style.tiling.content import Content
from chainer_style.tiling.grid import Grid, Tile
from chainer_style.tiling.picture import Picture
from chainer_style.tiling.ranks import Alone, Ranks
from chainer_style.tiling.targets import Maker, Targets

if TYPE_CHECKING:
    from chainer_style.tiling import budget


class TiledEngine(Engine):
    """Style transfer tile by tile.

    The Gram matrices of all tiles are added up on a way forth; a way back then follows
    what the whole picture's are off by. Every position of a tapped map belongs to one
    tile, and so the gradients of all tiles add up to that of the picture.

    With several ranks each does this for its own band of rows.

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
    ranks
        Who computes it together; None: this process alone.
    moved
        Makes what Adam moves; see `Picture`.
    unit
        Pixels at whose multiples tiles have to begin; see `Grid`.

    Attributes
    ----------
    grid
        The tiles of this rank.
    cut
        How they were chosen, where they were chosen by memory.

    Raises
    ------
    UserError
        If there are too many ranks for the picture.
    """

    def __init__(
        self,
        name: str,
        problem: Problem,
        make: Maker,
        side: int,
        content: Content,
        dtype: npt.DTypeLike = np.float32,
        ranks: Ranks | None = None,
        moved: Callable[..., Picture] = Picture,
        unit: int = 1,
    ) -> None:
        self.name = name  # type: ignore[misc]
        self.cut: budget.Cut | None = None
        self._dtype = np.dtype(dtype)
        self._content = content
        self._ranks = ranks or Alone()
        height, width = problem.content.shape[2:]
        extents = problem.network, height, width
        self._band = band = Band.of(*extents, self._ranks, unit)
        self.grid = Grid(*extents, side, (band.top, band.bottom), unit)
        targets = Targets(problem, make, self.grid, self._ranks, self._dtype)
        self._aims = targets.aims(content)
        memory.trim()  # of what that needed
        self._tiles = make(self.grid, targets.scales(self._aims), True)
        protocol = problem.protocol
        self._picture = moved(
            self._held(problem.start),
            height,
            band,
            problem.canvas,
            epsilon(protocol, height, width),
            by_pixel=protocol.pixelwise_clip,
        )
        self.problem = _hollow(problem)
        self._done = self._scheduled = 0

    def _held(self, picture: Array) -> Array:
        """Return the rows that this rank holds of a picture, (1, 3, height, width)."""
        rows = slice(self._band.first, self._band.last)
        return layout(picture[:, :, rows], self._dtype)

    # -- what an engine does ----------------------------------------------

    def evaluate(self, image: npt.NDArray[Any]) -> tuple[Losses, npt.NDArray[Any]]:
        """Return the losses at a picture, and the gradient (see `Engine`)."""
        before = self._picture.pixels
        self._picture.pixels = self._held(image)
        losses = self._evaluate()
        self._picture.pixels = before
        return losses, self._whole(self._picture.gradient[self._band.own])

    def step(self) -> Callable[[], Losses]:
        """Do one iteration (see `Engine`)."""
        losses = self._evaluate()
        self._done += 1
        rate = corrected_rate(self.problem.protocol, self._scheduled, self._done)
        self._scheduled += 1
        with quiet():
            self._picture.move(rate)
        self._picture.share_pixels()
        return lambda: losses

    def _evaluate(self) -> Losses:
        with quiet():
            style = self._survey()
            sums = self._descend()
            if weight := self.problem.protocol.tv_weight:
                sums[-1] = self._picture.vary(weight)
        self._picture.share_gradient()
        self._ranks.add(sums)
        *content, variation = map(float, sums)
        total = sum(content) + sum(style) + variation
        return Losses(total, tuple(content), style, variation)

    def _survey(self) -> tuple[float, ...]:
        """Return the style losses, and tell all tiles what follows from them."""
        sums = self._tiles.survey(self._windows())
        self._ranks.add(sums)
        squares = self._tiles.compare(sums, self._aims)
        return tuple(aim.style_loss(squares[node]) for node, aim in self._aims.items())

    def _windows(self) -> Iterator[tuple[Tile, Array]]:
        for tile in self.grid.tiles:
            yield tile, self._picture.window(self._tiles.window(tile))

    def _descend(self) -> Array:
        """Write the gradient of all tiles.

        Returns
        -------
        numpy.ndarray
            The content loss of each tap, over this rank's tiles, and a zero.
        """
        picture = self._picture
        picture.clear()
        told = []
        # What the last tile left in the caches is of use to the first one.
        for tile in reversed(self.grid.tiles):
            window = self._tiles.window(tile)
            with self._content.of(tile.number) as content:
                passed = self._tiles.back(tile, picture.window(window), content)
            del content  # before the next tile's is read
            picture.add(window, passed.gradient)
            told.append(passed.content)
        sums = dict.fromkeys(self._aims, 0.0)
        for squares in told:
            for node, total in squares().items():
                sums[node] += total
        weighted = [
            self._aims[node].content_weight * total / self._aims[node].size
            for node, total in sums.items()
        ]
        return np.array([*weighted, 0.0])

    @property
    def image(self) -> npt.NDArray[np.float32]:
        """A copy of the picture as it stands (see `Engine`).

        With several ranks all of them have to ask, and the root alone has it; to the
        others it is an array of its shape that holds nothing.
        """
        return self._whole(self._picture.pixels[self._band.own])

    def _whole(self, own: Array) -> npt.NDArray[np.float32]:
        """Return this rank's rows, and those of all others, as planes."""
        rows = self._ranks.collect(own) if self._ranks.count > 1 else own
        if rows is None:
            return _nothing(self.problem.start.shape)
        return np.array(rows.transpose(2, 0, 1)[None], order="C")

    @property
    def state(self) -> State:
        """How far it is, in copies (see `Engine`); with several ranks as `image`."""
        first, second = map(self._whole, self._picture.moments)
        return State(self.image, first, second, self._done, self._scheduled)

    @property
    def shared_state(self) -> State:
        """The same, on all ranks."""
        own = self.state
        image, first, second = map(
            self._ranks.spread, (own.image, own.first, own.second)
        )
        return dataclasses.replace(own, image=image, first=first, second=second)

    def restore(self, state: State) -> None:
        """Go on from a state (see `Engine`)."""
        band = self._band
        moments = (
            moment[0, :, band.top : band.bottom].transpose(1, 2, 0)
            for moment in (state.first, state.second)
        )
        self._picture.restore(self._held(state.image), *moments)
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
        return self._ranks.agree(all_finite(self._picture.pixels))

    def synchronize(self) -> None:
        """Return at once: all is done when a step returns."""


def _hollow(problem: Problem) -> Problem:
    """Return a problem whose pictures take no memory: shapes are left of them."""
    return dataclasses.replace(
        problem,
        content=_nothing(problem.content.shape),
        style=_nothing(problem.style.shape),
        start=_nothing(problem.start.shape),
    )


def _nothing(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return np.broadcast_to(np.float32(np.nan), shape)
