"""The gradient of the picture, through a convolution of stride 1 that reads it.

All that the output's gradient sends to the picture is one product, a position's part
for each place of its window; every pixel then gathers from the positions around it.
For three channels this is cheaper than a convolution, whose panels would be empty.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit

from chainer_style.engines.cpu.kernels.access import floats
from chainer_style.engines.cpu.kernels.products import WIDE, product
from chainer_style.engines.cpu.kernels.results import DUMP
from chainer_style.engines.cpu.kernels.vectors import FLOAT, Emitter, Loop, kernel
from chainer_style.engines.cpu.kernels.winograd import TABLES


@kernel(8)
def sum_threes(
    emit: Emitter,
    source: Any,
    rows: Any,
    row_step: Any,
    columns: Any,
    column_step: Any,
    runs: Any,
    run_step: Any,
    target: Any,
) -> None:
    """Write sums of three numbers over rows and columns, for one pixel after another.

    Four are read and written each time: the last is the next pixel's, written next.
    """
    builder, four = emit.builder, ir.VectorType(FLOAT, 4)
    with Loop(builder, runs, []) as run:
        start = emit.plus(source, builder.mul(run.index, run_step))
        with Loop(builder, rows, [ir.Constant(four, None)]) as row:
            line = emit.plus(start, builder.mul(row.index, row_step))
            with Loop(builder, columns, row.values) as column:
                place = emit.plus(line, builder.mul(column.index, column_step))
                sent = emit.load(place, four)
                column.following = [emit.add(column.values[0], sent)]
            row.following = column.following
        place = emit.plus(target, emit.times(run.index, 12))
        emit.store(row.following[0], place)


@njit(nogil=True)
def gather(step, unit, space):
    """Write some rows of the picture's gradient."""
    first = unit * step.positions
    last = min(first + step.positions, step.y_height)
    top = max(0, first + step.pad - step.kernel + 1)
    bottom = min(step.height, last + step.pad)
    wide, narrow = 4 * step.channels, step.panels * WIDE
    products = space + TABLES + DUMP
    rows = (bottom - top) * step.width
    features = step.x + top * step.width * wide
    product(
        features,
        wide,
        step.weights,
        step.channels,
        step.panels,
        products,
        narrow,
        rows,
    )
    place = products - top * step.width * narrow
    for row in range(first, last):
        begin, end = max(0, row + step.pad - bottom + 1), row + step.pad - top + 1
        _row(step, place, row, begin, min(step.kernel, end), narrow)


@njit(nogil=True)
def _row(step, products, row, begin, end, narrow):
    """Write a row of pixels, which gather from some rows of their windows."""
    width, count = step.y_width, step.y_channels
    left, right = min(width, step.kernel - 1 - step.pad_across), width
    if count == 3 and not step.add:
        # The last pixel is left out, as four numbers are written for each.
        right = max(left, min(width, step.width - step.pad_across) - 1)
        if right > left:
            position = (row + step.pad - begin) * step.width + left + step.pad_across
            wide = 12 * step.kernel
            sum_threes(
                products + position * narrow + begin * wide,
                end - begin,
                wide - step.width * narrow,
                step.kernel,
                12 - narrow,
                right - left,
                narrow,
                step.y + 12 * (row * width + left),
            )
        for column in range(left):
            _pixel(step, products, row, column, begin, end, narrow)
        left = right
    for column in range(left, width):
        _pixel(step, products, row, column, begin, end, narrow)


@njit(nogil=True)
def _pixel(step, products, row, column, begin, end, narrow):
    """Write a pixel, or add to it."""
    count = step.y_channels
    y = floats(step.y + 4 * (row * step.y_width + column) * count, count)
    if not step.add:
        y[:] = 0
    for i in range(begin, end):
        for j in range(step.kernel):
            source = column + step.pad_across - j
            if 0 <= source < step.width:
                position = (row + step.pad - i) * step.width + source
                sent = floats(products + position * narrow, narrow // 4)
                for c in range(count):
                    y[c] += sent[(i * step.kernel + j) * count + c]
