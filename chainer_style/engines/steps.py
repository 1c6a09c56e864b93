"""What a step of every engine has in common: how far it goes, and where it ends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.protocols import Protocol

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""Adam's constants: Chainer's defaults, which the program of 2016 kept."""


PIXELS = 256 * 256
"""Pixels of a picture up to which `EPSILON` serves."""


def epsilon(protocol: Protocol, height: int, width: int) -> float:
    """Return what Adam adds to the root of the second moment, for a picture's size.

    The losses are means, and so a pixel's gradient is as small as pixels are many: of
    some hundred thousand it comes near `EPSILON`, which would then slow every step.
    """
    if not protocol.epsilon_falls:
        return EPSILON
    return EPSILON * min(1.0, PIXELS / (height * width))


def learning_rate(protocol: Protocol, iteration: int) -> float:
    """Return Adam's alpha at an iteration, from 0, in grey levels."""
    share = 1 - iteration / protocol.iterations * (1 - protocol.final_learning_rate)
    return protocol.learning_rate * max(share, protocol.final_learning_rate)


def corrected_rate(protocol: Protocol, scheduled: int, done: int) -> float:
    """Return how far Adam goes, its corrections included.

    Parameters
    ----------
    protocol
        Says the learning rate.
    scheduled
        Number of steps before this one, for `learning_rate`.
    done
        Number of steps that the moments were gathered in, with this one.
    """
    rate = learning_rate(protocol, scheduled)
    return rate * (math.sqrt(1 - BETA2**done) / (1 - BETA1**done))


def clip_by_pixel(
    data: npt.NDArray[Any], low: npt.NDArray[Any], high: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Clip by one Python call per pixel, as the 2016 code did on the CPU.

    np.vectorize takes its output type from the first pixel, and the bounds were
    Python integers: whenever the top left pixel is clipped, the whole picture is
    cut to integers. That is kept.
    """
    least, most = int(low.flat[0]), int(high.flat[0])

    def clip(x: float) -> float:
        return least if x < least else (most if x > most else x)

    clipped: npt.NDArray[Any] = np.vectorize(clip)(data)
    return clipped.reshape(data.shape)
