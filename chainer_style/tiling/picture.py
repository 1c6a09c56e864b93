"""The picture, its gradient and Adam's moments, in bands of rows that fit a cache."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.engines.steps import BETA1, BETA2
from chainer_style.images import Canvas

Array = npt.NDArray[Any]

BAND = 1 << 16
"""Numbers of a band, or one row of the picture."""


class Picture:
    """What Adam moves.

    Parameters
    ----------
    start
        Shape (height, width, 3); it is taken, not copied.
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
        self, start: Array, canvas: Canvas, epsilon: float, *, by_pixel: bool
    ) -> None:
        self._epsilon = epsilon
        self.pixels = start
        self._bounds = canvas.bounds
        self._by_pixel = by_pixel

    @functools.cached_property
    def gradient(self) -> Array:
        """The gradient: an array of the picture's shape."""
        return np.zeros_like(self.pixels)

    @functools.cached_property
    def moments(self) -> tuple[Array, Array]:
        """Adam's moments: arrays of the picture's shape."""
        return np.zeros_like(self.pixels), np.zeros_like(self.pixels)

    def _bands(self) -> Iterator[slice]:
        height, width, channels = self.pixels.shape
        rows = max(1, BAND // (width * channels))
        for start in range(0, height, rows):
            yield slice(start, min(start + rows, height))

    def vary(self, weight: float) -> float:
        """Return the weighted total variation, and add its gradient."""
        height, width, channels = self.pixels.shape
        down = weight / max((height - 1) * width * channels, 1)
        across = weight / max(height * (width - 1) * channels, 1)
        total = 0.0
        for band in self._bands():
            rows = slice(band.start, min(band.stop, height - 1))
            below = slice(rows.start + 1, rows.stop + 1)
            total += down * self._differ(rows, below, np.s_[:], np.s_[:], down)
            total += across * self._differ(band, band, np.s_[:-1], np.s_[1:], across)
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

    def move(self, rate: float) -> None:
        """Let Adam follow the gradient, and clip.

        Parameters
        ----------
        rate
            How far it goes; see `steps.corrected_rate`.
        """
        for band in self._bands():
            self._move(band, rate)
        if self._by_pixel:
            self._clip_by_pixel()

    def _clip_by_pixel(self) -> None:
        """Clip as `steps.clip_by_pixel`: by its first value, all may become whole."""
        least, most = (int(bound.flat[0]) for bound in self._bounds)
        whole = not least <= self.pixels[0, 0, 0] <= most
        for band in self._bands():
            pixels = self.pixels[band]
            np.clip(pixels, least, most, out=pixels)
            if whole:
                np.trunc(pixels, out=pixels)

    def _move(self, band: slice, rate: float) -> None:
        pixels, gradient = self.pixels[band], self.gradient[band]
        first, second = (moment[band] for moment in self.moments)
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
