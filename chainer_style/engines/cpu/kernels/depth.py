"""The picture in squares of pixels, each the channels of a position, and back again."""

from __future__ import annotations

from numba import njit

from chainer_style.engines.cpu.kernels.access import floats
from chainer_style.engines.cpu.kernels.vectors import copy_runs

LEAST = 8
"""Numbers of a row of a square at least that are copied as vectors."""


@njit(nogil=True)
def to_depth(step, unit, space):
    """Write some rows of squares; pixels that lie outside of the picture are zero."""
    side, channels, wide = step.stride, step.channels, step.y_channels
    each, line_size = side * channels, step.width * channels
    first = unit * step.positions
    last = min(first + step.positions, step.y_height)
    begin, end = _whole(step, step.width, step.y_width)
    for row in range(first, last):
        y = floats(step.y + 4 * row * step.y_width * wide, step.y_width * wide)
        for u in range(side):
            line = row * side + u - step.pad
            inside = 0 <= line < step.height
            x = floats(step.x + 4 * line * line_size, line_size)
            done = begin
            if inside and each >= LEAST and end > begin:
                _copy(step, line, row, u, begin, end, False)
                done = end
            for square in range(step.y_width):
                if begin <= square < done:
                    continue
                column = square * side - step.pad_across
                for v in range(side):
                    seen = inside and 0 <= column + v < step.width
                    place = square * wide + u * each + v * channels
                    for c in range(channels):
                        y[place + c] = x[(column + v) * channels + c] if seen else 0
        if wide > side * each:
            for square in range(step.y_width):
                # What is left only fills up.
                y[square * wide + side * each : (square + 1) * wide] = 0


@njit(nogil=True)
def to_space(step, unit, space):
    """Write some rows of the picture's gradient, or add to them."""
    side, channels, wide = step.stride, step.y_channels, step.channels
    each, line_size = side * channels, step.y_width * channels
    first = unit * step.positions
    last = min(first + step.positions, step.y_height)
    begin, end = _whole(step, step.y_width, step.width)
    for line in range(first, last):
        row, u = divmod(line + step.pad, side)
        y = floats(step.y + 4 * line * line_size, line_size)
        if not step.add:
            y[:] = 0
        if not 0 <= row < step.height:
            continue
        done = begin
        if not step.add and each >= LEAST and end > begin:
            _copy(step, line, row, u, begin, end, True)
            done = end
        x = floats(step.x + 4 * row * step.width * wide, step.width * wide)
        for square in range(step.width):
            if begin <= square < done:
                continue
            column = square * side - step.pad_across
            for v in range(max(0, -column), min(side, step.y_width - column)):
                place = square * wide + u * each + v * channels
                for c in range(channels):
                    y[(column + v) * channels + c] += x[place + c]


@njit(nogil=True)
def _whole(step, width, squares):
    """Return the first square of a row that lies within the picture, and the end."""
    begin = max(0, (step.pad_across + step.stride - 1) // step.stride)
    return begin, min(squares, (width + step.pad_across) // step.stride)


@njit(nogil=True)
def _copy(step, line, row, u, begin, end, to_picture):
    """Copy the rows of some squares that lie within the picture, beside each other."""
    if to_picture:
        squares, wide, width = step.x, step.channels, step.width
        picture, channels, across = step.y, step.y_channels, step.y_width
    else:
        squares, wide, width = step.y, step.y_channels, step.y_width
        picture, channels, across = step.x, step.channels, step.width
    each = step.stride * channels
    squares += 4 * ((row * width + begin) * wide + u * each)
    column = begin * step.stride - step.pad_across
    picture += 4 * (line * across + column) * channels
    if to_picture:
        copy_runs(squares, picture, each, end - begin, 4 * wide, 4 * each)
    else:
        copy_runs(picture, squares, each, end - begin, 4 * each, 4 * wide)
