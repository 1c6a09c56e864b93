"""What goes from position to position: ReLU, copies, response normalisation."""

from __future__ import annotations

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
def _beside(numbers, reach, count, sums):
    """Write the sums over neighbouring channels; zeros lie before and behind them."""
    for c in range(count):
        sums[c] = numbers[c]
    for d in range(1, 2 * reach + 1):
        for c in range(count):
            sums[c] += numbers[c + d]


@njit(nogil=True)
def _scales(step, x, squares, scales):
    r"""Write :math:`k + a \sum x^2` over neighbouring channels."""
    count, reach = step.count, step.kernel // 2
    for c in range(count):
        squares[reach + c] = x[c] * x[c]
    _beside(squares, reach, count, scales)
    factor, constant = np.float32(step.scale), np.float32(step.third_scale)
    for c in range(count):
        scales[c] = constant + factor * scales[c]


# Where a division by zero is an error, a loop is no vector code.
@njit(nogil=True, error_model="numpy")
def _powers(scales, exponent, count, powers):
    """Write what responses are multiplied by."""
    if exponent == 0.75:
        # Every network that there is has it, and roots are many times faster.
        for c in range(count):
            root = np.sqrt(scales[c])
            powers[c] = np.float32(1) / (root * np.sqrt(root))
        return
    for c in range(count):
        powers[c] = np.float32(scales[c] ** -exponent)


@njit(nogil=True)
def normalise(step, unit, space):
    """Normalise the responses of a block of positions."""
    first = unit * step.positions
    last = min(first + step.positions, step.height * step.width)
    channels, count = step.channels, step.count
    room = floats(space + TABLES + DUMP, 2 * channels + step.kernel)
    scales, squares = room[:channels], room[channels:]
    squares[:] = 0
    for position in range(first, last):
        x = floats(step.x + 4 * position * channels, channels)
        y = floats(step.y + 4 * position * channels, channels)
        _scales(step, x, squares, scales)
        y[count:] = 0
        _powers(scales, step.second_scale, count, y)
        for c in range(count):
            y[c] *= x[c]


@njit(nogil=True, error_model="numpy")
def unnormalise(step, unit, space):
    """Write the gradient of `normalise`."""
    first = unit * step.positions
    last = min(first + step.positions, step.height * step.width)
    channels, count, reach = step.channels, step.count, step.kernel // 2
    room = floats(space + TABLES + DUMP, 3 * channels + step.kernel)
    values, scales = room[:channels], room[channels : 2 * channels]
    parts = room[2 * channels :]
    values[:], parts[:] = 0, 0
    strength = np.float32(2 * step.scale * step.second_scale)
    for position in range(first, last):
        gradient = floats(step.x + 4 * position * channels, channels)
        source = floats(step.source + 4 * position * channels, channels)
        _scales(step, source, parts, scales)
        _powers(scales, step.second_scale, count, values)
        for c in range(count):
            values[c] *= gradient[c]
            parts[reach + c] = values[c] * source[c] / scales[c]
        _beside(parts, reach, count, scales)
        for c in range(count):
            values[c] -= strength * source[c] * scales[c]
        deliver(
            step,
            space + TABLES + DUMP,
            4 * channels,
            position,
            1,
            0,
            space + TABLES,
        )
