"""What computes a network tile by tile, whatever computes it."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping
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
class Aim:
    """What a tap is compared with.

    Attributes
    ----------
    style
        Gram matrix of the style picture.
    content_weight, style_weight
        Of the mean squares of the differences.
    channels, size
        Of its map: those that count, and how many numbers it has with them.
    """

    style: Array
    content_weight: float
    style_weight: float
    channels: int
    size: int

    @property
    def content_scale(self) -> float:
        """The derivative of the mean of squares of the content's differences."""
        return 2 * self.content_weight / self.size

    @property
    def style_scale(self) -> float:
        """The same of the Gram matrix', through F F^T, which counts twice."""
        return 4 * self.style_weight / self.channels**2 / self.size

    def style_loss(self, squares: float) -> float:
        """Return the loss, from the sum of squares of the Gram matrix' differences."""
        return self.style_weight * squares / self.channels**2


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

    @property
    @abc.abstractmethod
    def sides(self) -> Mapping[str, int]:
        """Of the taps' matrices, channels that fill up included."""

    def window(self, tile: Tile) -> Region:
        """Return the pixels that a tile is computed from.

        They may be more than those that it needs.
        """
        return tile.window

    @abc.abstractmethod
    def survey(self, windows: Iterable[tuple[Tile, Array]]) -> Array:
        r"""Return :math:`F^T F` of each tap, over the own positions of some tiles.

        Parameters
        ----------
        windows
            The tiles, and the pixels of their windows.

        Returns
        -------
        numpy.ndarray
            In double precision, one tap's behind the other: as `matrices` and `whole`
            take them, and as those of several ranks may be added. Valid until the next
            survey.
        """

    def matrices(self, sums: Array) -> dict[str, Array]:
        """Return views of the matrices that lie one behind the other, by tap."""
        found, start = {}, 0
        for node, side in self.sides.items():
            found[node] = sums[start : start + side**2].reshape(side, side)
            start += side**2
        return found

    def whole(self, matrix: Array) -> Array:
        """Return all of a matrix, of which there may be a part: it is symmetric."""
        return matrix

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
    def compare(self, sums: Array, aims: Mapping[str, Aim]) -> dict[str, float]:
        """Be told what all tiles follow back next.

        Parameters
        ----------
        sums
            What `survey` returned, of all ranks.
        aims
            By tap, what they are compared with.

        Returns
        -------
        dict
            By tap, the sum of squares of what its Gram matrix is off by.
        """

    @abc.abstractmethod
    def back(self, tile: Tile, pixels: Array, content: Mapping[str, Array]) -> Passed:
        """Return the gradient of the losses of a tile's own features.

        Parameters
        ----------
        tile
            Which; it was surveyed since the picture changed.
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


def off_by(
    tiles: Tiles, sums: Array, aims: Mapping[str, Aim]
) -> tuple[dict[str, Array], dict[str, float]]:
    """Return what features are multiplied with on the way back, and sums of squares.

    Parameters
    ----------
    tiles
        Whose sums they are.
    sums, aims
        See `Tiles.compare`.
    """
    errors, squares = {}, {}
    for node, matrix in tiles.matrices(sums).items():
        aim = aims[node]
        error = tiles.whole(matrix) / aim.size
        error -= aim.style
        squares[node] = square(error)
        error *= aim.style_scale
        errors[node] = error
    return errors, squares
