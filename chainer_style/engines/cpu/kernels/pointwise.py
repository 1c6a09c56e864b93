"""What goes from position to position: ReLU, copies, response normalisation."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from chainer_style.engines.cpu.kernels.access import floats
from chainer_style.engines.cpu.kernels.results import DUMP, deliver
from chainer_style.engines.cpu.kernels.winograd import TABLES


@njit(nogil=True)
def rectify(step, unit, space):
    """Pass a block of positions through a ReLU, or its gradient through the mask."""
    first = unit * step.positions
    count = min(step.positions, step.height * step.width - first)
    wide = 4 * step.channels
    deliver(step, step.x + first * wide, wide, first, count, 0, space + TABLES)


@njit(nogil=True)
def copy(step, unit, space):
    """Copy channels to, or backward from, their place among others."""
    first = unit * step.positions
    last = min(first + step.positions, step.height * step.width)
    x = floats(step.x, step.height * step.width * step.channels)
    if step.backward:
        values = floats(space + TABLES + DUMP, step.y_channels)
        values[:] = 0
        for position in range(first, last):
            start = position * step.channels + step.offset
            for c in range(step.count):
                values[c] = x[start + c]
            gradient = space + TABLES + DUMP
            deliver(step, gradient, 4 * step.y_channels, position, 1, 0, space + TABLES)
        return
    y = floats(step.y, step.height * step.width * step.y_channels)
    for position in range(first, last):
        source, target = position * step.channels, position * step.y_channels
        for c in range(step.count):
            y[target + step.offset + c] = x[source + c]
        if step.mode:  # the last of them: what is left only fills up
            y[target + step.offset + step.count : target + step.y_channels] = 0


@njit(nogil=True)
def crop(step, unit, space):
    """Copy some rows of a part of a map that begins within it, or add to them."""
    each = step.y_width * step.channels
    for row in range(
        unit * step.positions, min((unit + 1) * step.positions, step.y_height)
    ):
        start = (row - step.pad) * step.width - step.pad_across
        x = floats(step.x + 4 * start * step.channels, each)
        y = floats(step.y + 4 * row * each, each)
        if step.backward:
            x += y
        else:
            y[:] = x


@njit(nogil=True)
def paste(step, unit, space):
    """Write some rows of a gradient that is zero but for a part of the map."""
    wide, dump = 4 * step.channels, space + TABLES
    left, right = step.pad_across, step.pad_across + step.width
    for row in range(
        unit * step.positions, min((unit + 1) * step.positions, step.y_height)
    ):
        start, source = row * step.y_width, row - step.pad
        inside = 0 <= source < step.height
        for column in range(step.y_width):
            if not (inside and left <= column < right):
                deliver(step, step.zeros, wide, start + column, 1, 0, dump)
        if inside:
            part = step.x + source * step.width * wide
            deliver(step, part, wide, start + left, step.width, 0, dump)


@njit(nogil=True)
def _scales(step, x, scales):
    r"""Write :math:`k + a \sum x^2` over neighbouring channels."""
    reach = step.kernel // 2
    for c in range(step.count):
        total = np.float32(0)
        for d in range(max(0, c - reach), min(step.count, c + reach + 1)):
            total += x[d] * x[d]
        scales[c] = np.float32(step.third_scale) + np.float32(step.scale) * total


@njit(nogil=True)
def _power(scale, exponent):
    # Every network that there is has 3/4, and roots are many times faster.
    if exponent == 0.75:
        root = math.sqrt(scale)
        return np.float32(1 / (root * math.sqrt(root)))
    return np.float32(scale**-exponent)


@njit(nogil=True)
def normalise(step, unit, space):
    """Normalise the responses of a block of positions."""
    first = unit * step.positions
    last = min(first + step.positions, step.height * step.width)
    scales = floats(space + TABLES + DUMP, step.channels)
    for position in range(first, last):
        x = floats(step.x + 4 * position * step.channels, step.channels)
        y = floats(step.y + 4 * position * step.channels, step.channels)
        _scales(step, x, scales)
        y[:] = 0
        for c in range(step.count):
            y[c] = x[c] * _power(scales[c], step.second_scale)


@njit(nogil=True)
def unnormalise(step, unit, space):
    """Write the gradient of `normalise`."""
    first = unit * step.positions
    last = min(first + step.positions, step.height * step.width)
    channels, reach = step.channels, step.kernel // 2
    room = floats(space + TABLES + DUMP, 3 * channels)
    values, scales, parts = (
        room[:channels],
        room[channels : 2 * channels],
        room[2 * channels :],
    )
    values[:] = 0
    strength = np.float32(2 * step.scale * step.second_scale)
    for position in range(first, last):
        gradient = floats(step.x + 4 * position * channels, channels)
        source = floats(step.source + 4 * position * channels, channels)
        _scales(step, source, scales)
        for c in range(step.count):
            power = _power(scales[c], step.second_scale)
            values[c] = gradient[c] * power
            parts[c] = values[c] * source[c] / scales[c]
        for c in range(step.count):
            total = np.float32(0)
            for d in range(max(0, c - reach), min(step.count, c + reach + 1)):
                total += parts[d]
            values[c] -= strength * source[c] * total
        deliver(
            step,
            space + TABLES + DUMP,
            4 * channels,
            position,
            1,
            0,
            space + TABLES,
        )
