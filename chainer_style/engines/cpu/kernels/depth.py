"""The picture's gradient out of squares of pixels, each the channels of a position."""

from __future__ import annotations

from numba import njit

from chainer_style.engines.cpu.kernels.access import floats
from chainer_style.engines.cpu.kernels.vectors import copy_runs

LEAST = 8
"""Numbers of a row of a square at least that are copied as vectors."""


@njit(nogil=True)
def to_space(step, unit, space):
    """Write some rows of the picture's gradient, or add to them."""
    side, channels, wide = step.stride, step.y_channels, step.channels
    each, line_size = side * channels, step.y_width * channels
    first = unit * step.positions
    last = min(first + step.positions, step.y_height)
    # Squares that lie within the picture, as a whole.
    begin = max(0, (step.pad_across + side - 1) // side)
    end = min(step.width, (step.y_width + step.pad_across) // side)
    for line in range(first, last):
        row, u = divmod(line + step.pad, side)
        y = floats(step.y + 4 * line * line_size, line_size)
        if not step.add:
            y[:] = 0
        if not 0 <= row < step.height:
            continue
        place, done = step.x + 4 * (row * step.width * wide + u * each), begin
        if not step.add and each >= LEAST and end > begin:
            source = place + 4 * begin * wide
            column = begin * side - step.pad_across
            target = step.y + 4 * (line * line_size + column * channels)
            copy_runs(source, target, each, end - begin, 4 * wide, 4 * each)
            done = end
        for square in range(step.width):
            if begin <= square < done:
                continue
            x = floats(place + 4 * square * wide, each)
            column = square * side - step.pad_across
            for v in range(max(0, -column), min(side, step.y_width - column)):
                for c in range(channels):
                    y[(column + v) * channels + c] += x[v * channels + c]
