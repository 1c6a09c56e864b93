"""Pooling: average, maximum and L2, and their gradients.

A window counts what it covers of the map and its padding; one that reaches further
has fewer positions to count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from chainer_style.engines.cpu.kernels.access import floats, octets, words
from chainer_style.engines.cpu.kernels.results import DUMP, STEP, deliver
from chainer_style.engines.cpu.kernels.vectors import REORDERED, Emitter, Loop, kernel
from chainer_style.engines.cpu.kernels.winograd import TABLES
from chainer_style.networks.nodes import POOL_KINDS

SOON = 4096
"""Bytes ahead that are asked for."""

AVERAGE, MAXIMUM, L2 = (POOL_KINDS.index(kind) for kind in ("average", "max", "l2"))


@njit(nogil=True)
def _covered(step, start, length):
    return min(start + step.kernel, length + step.pad_end) - start


@kernel(6)
def mean(
    emit: Emitter,
    table: Any,
    count: Any,
    offset: Any,
    floor: Any,
    share: Any,
    out: Any,
) -> None:
    """Write a share of the sum of vectors, each raised to the floor before.

    Parameters are the table of the addresses, how many they are, the offset of the
    channels in bytes, the addresses of the floor and of the share, and of the result.
    """
    least = emit.load(floor)
    with Loop(emit.builder, count, [emit.constant(0)]) as turn:
        entry = emit.plus(table, emit.times(turn.index, 8))
        value = emit.load(emit.plus(emit.load(entry, emit.word(0).type), offset))
        below = emit.builder.fcmp_ordered("<", value, least)
        value = emit.builder.select(below, least, value)
        turn.following = [emit.add(turn.values[0], value)]
    emit.store(emit.multiply(turn.following[0], emit.spread(share)), out)


@njit(nogil=True)
def pool(step, unit, space):
    """Pool some rows of results."""
    channels = step.channels
    x = floats(step.x, step.height * step.width * channels)
    y = floats(step.y, step.y_height * step.y_width * channels)
    for row in range(
        unit * step.positions, min((unit + 1) * step.positions, step.y_height)
    ):
        top = row * step.stride - step.pad
        for column in range(step.y_width):
            left = column * step.stride - step.pad_across
            out = (row * step.y_width + column) * channels
            if step.mode == MAXIMUM:
                _greatest(step, top, left, x, y[out : out + channels], out)
            elif step.mode == L2:
                _root(step, top, left, x, y[out : out + channels])
            else:
                _mean(step, top, left, step.y + 4 * out, space)


@njit(nogil=True)
def _mean(step, top, left, out, space):
    """Write the mean of a window."""
    wide = 4 * step.channels
    table = words(space + DUMP, step.kernel * step.kernel)
    count = 0
    for i in range(max(top, 0), min(top + step.kernel, step.height)):
        for j in range(max(left, 0), min(left + step.kernel, step.width)):
            table[count] = step.x + (i * step.width + j) * wide
            count += 1
    covered = _covered(step, top, step.height) * _covered(step, left, step.width)
    floats(space, 1)[0] = np.float32(1 / covered)
    for offset in range(0, wide, STEP):
        mean(space + DUMP, count, offset, step.floor, space, out + offset)


@njit(nogil=True, fastmath=REORDERED)
def _root(step, top, left, x, y):
    """Write the root of the mean of squares of a window."""
    channels = step.channels
    least = np.float32(0 if step.rectified else -np.inf)
    y[:] = 0
    for i in range(max(top, 0), min(top + step.kernel, step.height)):
        for j in range(max(left, 0), min(left + step.kernel, step.width)):
            start = (i * step.width + j) * channels
            for c in range(channels):
                value = x[start + c]
                value = least if value < least else value
                y[c] += value * value
    count = _covered(step, top, step.height) * _covered(step, left, step.width)
    share = np.float32(1 / count)
    for c in range(channels):
        y[c] = np.sqrt(share * y[c])


@njit(nogil=True)
def _greatest(step, top, left, x, y, out):
    """Write the maximum of a window, and which of its positions has it."""
    channels = step.channels
    choice = octets(step.choice + out, channels)
    least = np.float32(0 if step.rectified else -np.inf)
    y[:] = -np.inf
    choice[:] = 0
    for i in range(max(top, 0), min(top + step.kernel, step.height)):
        for j in range(max(left, 0), min(left + step.kernel, step.width)):
            start = (i * step.width + j) * channels
            here = np.uint8((i - top) * step.kernel + j - left)
            for c in range(channels):
                value = x[start + c]
                value = least if value < least else value
                larger = not value <= y[c]
                y[c] = value if larger else y[c]
                choice[c] = here if larger else choice[c]


@njit(nogil=True)
def _reaching(step, place, count):
    """Return the first and the last of some windows that see a padded place."""
    first = (place - step.kernel + step.stride) // step.stride
    return max(0, first), min(count - 1, place // step.stride)


@kernel(2)
def expect(emit: Emitter, place: Any, count: Any) -> None:
    """Ask for a place where so many vectors are to be written."""
    with Loop(emit.builder, count, []) as turn:
        emit.fetch(emit.plus(place, emit.times(turn.index, STEP)), to_write=True)


@njit(nogil=True)
def unpool(step, unit, space):
    """Gather the gradient of some rows of what was pooled."""
    channels, width = step.channels, step.y_width
    gradient = space + TABLES + DUMP
    sums = floats(gradient, channels)
    for row in range(
        unit * step.positions, min((unit + 1) * step.positions, step.y_height)
    ):
        highest, lowest = _reaching(step, row + step.pad, step.height)
        for column in range(width):
            first, last = _reaching(step, column + step.pad_across, step.width)
            place = step.y + 4 * (row * width + column) * channels
            expect(place + SOON, 4 * channels // STEP)
            sums[:] = 0
            for i in range(highest, lowest + 1):
                for j in range(first, last + 1):
                    _share(step, row, column, i, j, sums)
            deliver(
                step, gradient, 4 * channels, row * width + column, 1, 0, space + TABLES
            )


@njit(nogil=True, fastmath=REORDERED)
def _share(step, row, column, i, j, sums):
    """Add what a window gives to one of its positions."""
    channels = step.channels
    at = (i * step.width + j) * channels
    gradient = floats(step.x + 4 * at, channels)
    top, left = i * step.stride - step.pad, j * step.stride - step.pad_across
    if step.mode == MAXIMUM:
        choice = octets(step.choice + at, channels)
        here = np.uint8((row - top) * step.kernel + column - left)
        for c in range(channels):
            sums[c] += gradient[c] if choice[c] == here else np.float32(0)
        return
    count = _covered(step, top, step.y_height) * _covered(step, left, step.y_width)
    share = np.float32(1 / count)
    if step.mode == AVERAGE:
        for c in range(channels):
            sums[c] += share * gradient[c]
        return
    place = (row * step.y_width + column) * channels
    features = floats(step.source + 4 * place, channels)
    pooled = floats(step.result + 4 * at, channels)
    for c in range(channels):
        if pooled[c] > 0:
            sums[c] += share * gradient[c] * features[c] / pooled[c]
