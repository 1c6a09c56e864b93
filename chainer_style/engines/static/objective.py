"""The losses at a plan's taps and on the picture, and their gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainer_style.engines.base import Losses
from chainer_style.engines.static.buffers import Array
from chainer_style.networks import Tap
from chainer_style.protocols import Protocol


def gram_matrix(features: Array, out: Array | None = None) -> Array:
    r"""Return :math:`F F^T / (C H W)` of features of shape (height, width, C)."""
    flat = features.reshape(-1, features.shape[2])
    gram: Array = np.matmul(flat.T, flat, out=out)
    gram /= features.size
    return gram


def tap_weights(
    protocol: Protocol, tap: Tap, content: float, style: float, count: int
) -> tuple[float, float]:
    """Return the weights of the content and of the style term at a tap.

    Parameters
    ----------
    protocol
        Every setting.
    tap
        Which one.
    content, style
        Mean squares of the content features and of the style's Gram matrix there.
    count
        Number of taps: the style terms are divided by it.
    """
    if not protocol.relative_losses:
        content = style = 1.0
    return protocol.content_weight * tap.content / content, tap.style / style / count


@dataclass
class TapLosses:
    """Content and style at one tap.

    Attributes
    ----------
    tap
        Which one.
    content
        Features that the content picture has there.
    style
        Gram matrix that the style picture has there.
    protocol
        Every setting.
    count
        Number of taps: the style terms are divided by it.
    """

    tap: Tap
    content: Array
    style: Array
    protocol: Protocol
    count: int
    value: tuple[float, float] = (0.0, 0.0)
    """Content and style loss, weighted, of the last features."""
    _gram: Array = field(init=False)
    _difference: Array = field(init=False)

    def __post_init__(self) -> None:
        self._gram = np.empty_like(self.style)
        self._difference = np.empty_like(self.content)
        content, style = _energy(self.content), _energy(self.style)
        self._content, self._style = tap_weights(
            self.protocol, self.tap, content, style, self.count
        )

    def write(self, features: Array, gradient: Array) -> None:
        """Note the losses of some features, and write their gradient.

        Parameters
        ----------
        features
            Shape (height, width, channels).
        gradient
            To be written to, of the same shape.
        """
        gram = gram_matrix(features, out=self._gram)
        gram -= self.style
        style = self._style * _energy(gram)
        # The derivative of a mean of squares, through F F^T, which counts twice.
        gram *= 4 * self._style / gram.size / features.size
        channels = features.shape[2]
        np.matmul(
            features.reshape(-1, channels), gram, out=gradient.reshape(-1, channels)
        )
        content = 0.0
        if self.tap.content:
            difference = np.subtract(features, self.content, out=self._difference)
            content = self._content * _energy(difference)
            difference *= 2 * self._content / features.size
            gradient += difference
        self.value = content, style


def total_variation(image: Array, weight: float, gradient: Array, room: Array) -> float:
    """Return the weighted total variation, and add its gradient.

    Parameters
    ----------
    image, gradient
        Shape (height, width, channels).
    weight
        Per squared grey level.
    room
        Working space of the same size.
    """
    total = 0.0
    for one, other in (
        (np.s_[1:], np.s_[:-1]),
        (np.s_[:, 1:], np.s_[:, :-1]),
    ):
        shape = image[one].shape
        difference = room.reshape(-1)[: math.prod(shape)].reshape(shape)
        np.subtract(image[one], image[other], out=difference)
        total += weight * _energy(difference)
        difference *= 2 * weight / difference.size
        gradient[one] += difference
        gradient[other] -= difference
    return total


def summed(taps: Mapping[str, TapLosses], variation: float) -> Losses:
    """Return the losses that the taps noted, and their sum."""
    content = tuple(tap.value[0] for tap in taps.values())
    style = tuple(tap.value[1] for tap in taps.values())
    return Losses(sum(content) + sum(style) + variation, content, style, variation)


def _energy(values: Array) -> float:
    """Return the mean square."""
    flat = values.reshape(-1)
    return float(np.dot(flat, flat)) / flat.size


def layout(picture: Array, dtype: np.dtype[Any]) -> Array:
    """Return a picture, (1, channels, height, width), as (height, width, channels)."""
    return np.ascontiguousarray(picture[0].transpose(1, 2, 0), dtype)


def planes(array: Array) -> Array:
    """Return a copy as a float32 picture: the inverse of `layout`."""
    return np.array(array.transpose(2, 0, 1)[None], np.float32, order="C")


def quiet() -> np.errstate:
    """Leave a loss that overflows to be told by its value, not by warnings."""
    return np.errstate(over="ignore", invalid="ignore")
