"""The picture, its gradient and Adam's moments, dealt with some rows at a time."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainer_style import memory
from chainer_style.engines.steps import BETA1, BETA2
from chainer_style.images import Canvas
from chainer_style.networks.regions import Region
from chainer_style.tiling.bands import Band

Array = npt.NDArray[Any]

Kind = Literal["pixels", "gradient"]
"""Of what neighbours share."""

PART = 1 << 16
"""Numbers that are dealt with at once, or one row of the picture."""


class Picture:
    """What Adam moves.

    Parameters
    ----------
    start
        Shape (rows, width, 3): the rows that the band holds. It is taken, not copied.
    height
        Of the whole picture.
    band
        Which rows these are, and which of them Adam moves.
    canvas
        Says the bounds of its pixels.
    epsilon
        Adam's; see `steps.epsilon`.
    by_pixel
        Whether to clip as the program of 2016 did.

    Attributes
    ----------
    pixels
        The picture as it stands.
    """

    def __init__(
        self,
        start: Array,
        height: int,
        band: Band,
        canvas: Canvas,
        epsilon: float,
        *,
        by_pixel: bool,
    ) -> None:
        self._height, self._band = height, band
        self._epsilon = epsilon
        self.pixels = start
        self._bounds = canvas.bounds
        self._by_pixel = by_pixel

    @functools.cached_property
    def gradient(self) -> Array:
        """The gradient, of the pixels' shape."""
        return memory.zeros(self.pixels.shape, self.pixels.dtype)

    @functools.cached_property
    def moments(self) -> tuple[Array, Array]:
        """Adam's moments of the band's own rows."""
        own = self.pixels[self._band.own]
        first, second = (memory.zeros(own.shape, own.dtype) for _ in range(2))
        return first, second

    def restore(self, pixels: Array, first: Array, second: Array) -> None:
        """Go on from a picture, and from moments of the band's own rows."""
        self.pixels[...] = pixels
        for own, array in zip(self.moments, (first, second), strict=True):
            np.copyto(own, array)

    def window(self, region: Region) -> Array:
        """Return the pixels of a window of the picture."""
        return self.pixels[self._held(region)]

    def add(self, region: Region, gradient: Array) -> None:
        """Add a gradient to that of a window's pixels."""
        self.gradient[self._held(region)] += gradient

    def clear(self) -> None:
        """Let the gradient be zero."""
        self.gradient[...] = 0

    def _held(self, region: Region) -> tuple[slice, slice]:
        """Return where a window lies in the rows that the band holds."""
        return region.within(Region(self._band.first, 0, 0, 0)).slices

    def _parts(self) -> Iterator[slice]:
        """Yield the band's own rows, a few at a time."""
        _, width, channels = self.pixels.shape
        own, rows = self._band.own, max(1, PART // (width * channels))
        for start in range(own.start, own.stop, rows):
            yield slice(start, min(start + rows, own.stop))

    def vary(self, weight: float) -> float:
        """Return the weighted total variation of its own rows, and add its gradient.

        A row belongs to a pair with the one below it.
        """
        _, width, channels = self.pixels.shape
        down = weight / max((self._height - 1) * width * channels, 1)
        across = weight / max(self._height * (width - 1) * channels, 1)
        end = self._height - 1 - self._band.first
        total = 0.0
        for part in self._parts():
            rows = slice(part.start, min(part.stop, end))
            below = slice(rows.start + 1, rows.stop + 1)
            total += down * self._differ(rows, below, np.s_[:], np.s_[:], down)
            total += across * self._differ(part, part, np.s_[:-1], np.s_[1:], across)
        return total

    def _differ(
        self, rows: slice, below: slice, left: slice, right: slice, weight: float
    ) -> float:
        """Return a sum of squared differences, and add their gradient."""
        one, other = (rows, left), (below, right)
        difference = self.pixels[other] - self.pixels[one]
        total = float(np.square(difference, dtype=np.float64).sum())
        difference *= 2 * weight
        self.gradient[other] += difference
        self.gradient[one] -= difference
        return total

    def share_gradient(self) -> None:
        """Add to the gradient of its own rows what the neighbours found for them."""
        band, own = self._band, self._band.own
        if band.ranks.count == 1:
            return
        up, down = slice(0, own.start), slice(own.stop, None)
        above, below = band.ranks.swap(
            self._some("gradient", up), self._some("gradient", down)
        )
        if above is not None:
            rows = slice(own.start, own.start + band.above)
            self._set("gradient", rows, self._some("gradient", rows) + above)
        if below is not None:
            rows = slice(own.stop - band.below, own.stop)
            self._set("gradient", rows, self._some("gradient", rows) + below)

    def share_pixels(self) -> None:
        """Have the neighbours' rows as they are now."""
        band, own = self._band, self._band.own
        if band.ranks.count == 1:
            return
        above, below = band.ranks.swap(
            self._some("pixels", slice(own.start, own.start + band.above)),
            self._some("pixels", slice(own.stop - band.below, own.stop)),
        )
        if above is not None:
            self._set("pixels", slice(0, own.start), above)
        if below is not None:
            self._set("pixels", slice(own.stop, None), below)

    def _some(self, kind: Kind, rows: slice) -> Array:
        """Return some rows of those that the band holds."""
        found: Array = getattr(self, kind)[rows]
        return found

    def _set(self, kind: Kind, rows: slice, values: Array) -> None:
        """Have other values in some rows."""
        getattr(self, kind)[rows] = values

    def move(self, rate: float) -> None:
        """Let Adam follow the gradient, and clip.

        Parameters
        ----------
        rate
            How far it goes; see `steps.corrected_rate`.
        """
        for part in self._parts():
            self._move(part, rate)
        if self._by_pixel:
            self._clip_by_pixel()

    def _clip_by_pixel(self) -> None:
        """Clip as `steps.clip_by_pixel`: by its first value, all may become whole."""
        least, most = (int(bound.flat[0]) for bound in self._bounds)
        whole = not least <= self.pixels[0, 0, 0] <= most
        for part in self._parts():
            pixels = self.pixels[part]
            np.clip(pixels, least, most, out=pixels)
            if whole:
                np.trunc(pixels, out=pixels)

    def _move(self, part: slice, rate: float) -> None:
        pixels, gradient = self.pixels[part], self.gradient[part]
        start = self._band.own.start
        own = slice(part.start - start, part.stop - start)
        first, second = (moment[own] for moment in self.moments)
        first *= BETA1
        room = gradient * (1 - BETA1)
        first += room
        second *= BETA2
        np.multiply(gradient, gradient, out=room)
        room *= 1 - BETA2
        second += room
        np.sqrt(second, out=room)
        room += self._epsilon
        np.divide(first, room, out=room)
        room *= rate
        pixels -= room
        if not self._by_pixel:
            low, high = (bound.reshape(3) for bound in self._bounds)
            np.clip(pixels, low, high, out=pixels)
