"""What computes a network tile by tile, whatever computes it."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.networks.regions import Region
from chainer_style.tiling.grid import Tile

Array = npt.NDArray[Any]
"""Pixels are of shape (height, width, 3), features of (height, width, channels); some
engines fill channels up with zeros, in features as in sums."""


@dataclass(frozen=True)
class Passed:
    """What the way back through a tile gives.

    Attributes
    ----------
    gradient
        Of the pixels of its window, for `Picture.add`: an array, or where that is.
        Valid until the next tile.
    content
        Returns, by tap with a content loss, the sum of squares that its own features
        differ by; waits for it.
    """

    gradient: Any
    content: Callable[[], Mapping[str, float]]


class Tiles(abc.ABC):
    """Computes a network on tiles of a picture."""

    @abc.abstractmethod
    def side(self, channels: int) -> int:
        """Return the side of the matrices of a tap with so many channels."""

    def window(self, tile: Tile) -> Region:
        """Return the pixels that a tile is computed from.

        They may be more than those that it needs.
        """
        return tile.window

    def survey(
        self, windows: Iterable[tuple[Tile, Array]]
    ) -> Iterator[Mapping[str, Array]]:
        """Yield the sums of tiles, of one at a time or of several together.

        Parameters
        ----------
        windows
            The tiles, and the pixels of their windows.
        """
        for tile, pixels in windows:
            yield self.sums(tile, pixels)

    @abc.abstractmethod
    def sums(self, tile: Tile, pixels: Array) -> dict[str, Array]:
        r"""Return :math:`F^T F` over a tile's own positions of each tapped map.

        They lie as `matrix` takes them, and are valid until the next tile.

        Parameters
        ----------
        tile
            Which.
        pixels
            Of its window.
        """

    def matrix(self, sums: Array, side: int) -> Array:
        """Return a sum of what `sums` gives for a tap as a matrix, row by row."""
        return sums.reshape(side, side)

    @abc.abstractmethod
    def features(self, tile: Tile, pixels: Array) -> dict[str, Array]:
        """Return a tile's own features at the taps with a content loss.

        They are valid until the next tile, or until this one is forgotten. They are
        not to be had of tiles whose way back computes them anew.
        """

    @abc.abstractmethod
    def forget(self, tile: Tile) -> None:
        """Drop what was kept of a tile; the way back has to wait for new sums."""

    @abc.abstractmethod
    def aim(self, errors: Mapping[str, Array]) -> None:
        """Be told what all tiles follow back next.

        Parameters
        ----------
        errors
            By tap, a square matrix: the gradient of the style loss with respect to
            features of one position is their product with it.
        """

    @abc.abstractmethod
    def back(self, tile: Tile, pixels: Array, content: Mapping[str, Array]) -> Passed:
        """Return the gradient of the losses of a tile's own features.

        Parameters
        ----------
        tile
            Which; `sums` were asked for it since the picture changed.
        pixels
            Of its window, the same.
        content
            What `features` returned for the content picture.
        """


def square(values: Array) -> float:
    """Return the sum of squares."""
    flat = values.reshape(-1)
    total = 0.0
    for start in range(0, flat.size, 1 << 16):
        part = flat[start : start + (1 << 16)]
        total += float(np.square(part, dtype=np.float64).sum())
    return total
