"""What happens to the picture itself: total variation, Adam, clip."""

from __future__ import annotations

import numpy as np
from numba import njit

from chainer_style.engines.cpu.kernels.access import doubles, floats
from chainer_style.engines.cpu.kernels.results import DUMP
from chainer_style.engines.cpu.kernels.vectors import REORDERED
from chainer_style.engines.cpu.kernels.winograd import TABLES

RUN = 16
"""Pixels that are clipped at once: whole vectors, however many channels they have."""


@njit(nogil=True)
def variation(step, unit, space):
    """Add the gradient of the total variation to some rows of the picture's.

    Rows may lie before the first one, or behind the last: what differs from them pulls
    too. The sum has each pair once, with its upper row.
    """
    row_size = step.width * step.channels
    above, below = step.pad * row_size, step.pad_end * row_size
    size = step.height * row_size
    image = floats(step.x - 4 * above, above + size + below)
    gradient = floats(step.y, size)
    down, across = np.float32(step.scale), np.float32(step.second_scale)
    energy = 0.0
    for row in range(
        unit * step.positions, min((unit + 1) * step.positions, step.height)
    ):
        for i in range(row * row_size, (row + 1) * row_size):
            at = i + above
            pull = np.float32(0)
            if row + step.pad > 0:
                pull += down * (image[at] - image[at - row_size])
            if row + 1 < step.height + step.pad_end:
                difference = image[at + row_size] - image[at]
                energy += 0.5 * down * difference * difference
                pull -= down * difference
            if i - row * row_size >= step.channels:
                pull += across * (image[at] - image[at - step.channels])
            if i + step.channels < (row + 1) * row_size:
                difference = image[at + step.channels] - image[at]
                energy += 0.5 * across * difference * difference
                pull -= across * difference
            gradient[i] += pull
    doubles(step.partial, unit + 1)[unit] = energy


# Where a division by zero is an error, a loop is no vector code.
@njit(nogil=True, fastmath=REORDERED, error_model="numpy")
def adam(step, unit, space):
    """Move some pixels by Adam, and clip them; see Kingma and Ba 2014.

    Two numbers at an address say how far Adam goes, and how small a root may be.
    """
    first = unit * step.positions * step.channels
    size = step.height * step.width * step.channels
    count = min(step.positions * step.channels, size - first)
    image = floats(step.x + 4 * first, count)
    gradient = floats(step.y + 4 * first, count)
    mean = floats(step.source + 4 * first, count)
    square = floats(step.result + 4 * first, count)
    rate = np.float32(doubles(step.weights, 1)[0])
    small = np.float32(step.third_scale)
    new, newer = np.float32(1 - step.scale), np.float32(1 - step.second_scale)
    for i in range(count):
        slope = gradient[i]
        mean[i] += new * (slope - mean[i])
        square[i] += newer * (slope * slope - square[i])
        image[i] -= rate * mean[i] / (np.sqrt(square[i]) + small)
    if not step.mode:
        _clip(step, image, count, space + TABLES + DUMP)


@njit(nogil=True, fastmath=REORDERED)
def _clip(step, image, count, space):
    """Clip some pixels, each channel by its bounds, `RUN` pixels at a time."""
    channels, wide = step.channels, RUN * step.channels
    bounds = floats(step.bias, 2 * channels)
    low, high = floats(space, wide), floats(space + 4 * wide, wide)
    for i in range(wide):
        low[i], high[i] = bounds[i % channels], bounds[channels + i % channels]
    for first in range(0, count, wide):
        for i in range(min(wide, count - first)):
            value = image[first + i]
            value = low[i] if value < low[i] else value
            image[first + i] = high[i] if value > high[i] else value


@njit(nogil=True)
def clip(step, unit, space):
    """Clip as the program of 2016 did, see `steps.clip_by_pixel`.

    Where the first value is clipped, all are cut to integers.
    """
    size = step.height * step.width * step.channels
    image = floats(step.x, size)
    bounds = floats(step.bias, 2 * step.channels)
    low = np.float32(int(bounds[0]))
    high = np.float32(int(bounds[step.channels]))
    whole = image[0] < low or image[0] > high
    for i in range(size):
        value = image[i]
        value = low if value < low else value
        image[i] = high if value > high else value
    if whole:
        for i in range(size):
            image[i] = np.trunc(image[i])
