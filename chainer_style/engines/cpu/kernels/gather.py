"""The gradient of the picture, through a convolution that reads it.

All that the output's gradient sends to the picture is one product, a position's part
for each place of its window; every pixel then gathers from the positions around it.
For three channels this is cheaper than a convolution, whose panels would be empty.

With a stride, so many pixels beside each other gather from the same positions, from
places beside each other: windows are filled up with zeros to whole strides for that.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit

from chainer_style.engines.cpu.kernels.access import floats
from chainer_style.engines.cpu.kernels.products import WIDE, product_nearby
from chainer_style.engines.cpu.kernels.results import DUMP
from chainer_style.engines.cpu.kernels.vectors import FLOAT, Emitter, Loop, kernel
from chainer_style.engines.cpu.kernels.winograd import TABLES

VECTORS = (4, 8, 16)
"""Numbers of a vector that holds as many pixels as a stride has, and some of the next.
A step has the place of its own."""


def _adder(lanes: int) -> Any:
    @kernel(9)
    def sum_pixels(
        emit: Emitter,
        source: Any,
        rows: Any,
        row_step: Any,
        columns: Any,
        column_step: Any,
        runs: Any,
        run_step: Any,
        target: Any,
        target_step: Any,
    ) -> None:
        """Write sums of some pixels over rows and columns, for one run after another.

        More is read and written each time than there is: the next run's, written next.
        """
        builder, vector = emit.builder, ir.VectorType(FLOAT, lanes)
        with Loop(builder, runs, []) as run:
            start = emit.plus(source, builder.mul(run.index, run_step))
            with Loop(builder, rows, [ir.Constant(vector, None)]) as row:
                line = emit.plus(start, builder.mul(row.index, row_step))
                with Loop(builder, columns, row.values) as column:
                    place = emit.plus(line, builder.mul(column.index, column_step))
                    sent = emit.load(place, vector)
                    column.following = [emit.add(column.values[0], sent)]
                row.following = column.following
            place = emit.plus(target, builder.mul(run.index, target_step))
            emit.store(row.following[0], place)

    return sum_pixels


sum_four, sum_eight, sum_sixteen = map(_adder, VECTORS)


@njit(nogil=True)
def gather(step, unit, space):
    """Write some rows of the picture's gradient."""
    first = unit * step.positions
    last = min(first + step.positions, step.y_height)
    top, bottom = _reach(first, last, step.pad, step)
    top, bottom = max(0, top), min(step.height, bottom)
    wide, narrow = 4 * step.channels, step.panels * WIDE
    products = space + TABLES + DUMP
    product_nearby(
        step.x + top * step.width * wide,
        wide,
        step.weights,
        step.channels,
        step.panels,
        products,
        narrow,
        max(0, bottom - top) * step.width,
        step.y,
        0,
    )
    place = products - top * step.width * narrow
    for row in range(first, last):
        _row(step, place, row, top, bottom, narrow)


@njit(nogil=True)
def _reach(first, last, pad, step):
    """Return the first window that reaches pixels of a row, and that behind the last.

    They need not be on the map.
    """
    begin = (first + pad - step.kernel + step.stride) // step.stride
    return begin, (last - 1 + pad) // step.stride + 1


@njit(nogil=True)
def _row(step, products, row, top, bottom, narrow):
    """Write a row of pixels, which gather from some rows of positions."""
    width, stride, pad = step.y_width, step.stride, step.pad_across
    above, below = _reach(row, row + 1, step.pad, step)
    above, below = max(top, above), min(bottom, below)
    turns = (step.kernel + stride - 1) // stride
    # Runs of as many pixels as a stride has; what is written beyond is in the row, too.
    begin = max(0, (pad + stride - 1) // stride)
    end = min(step.width + turns - 1, (width + pad - step.square) // stride + 1)
    done = column = 0
    if step.square and not step.add and below > above and end > begin:
        column, done = begin * stride - pad, end * stride - pad
        run = begin
        while run < end:
            inside = turns - 1 <= run < step.width
            count = min(end, step.width) - run if inside else 1
            _runs(step, products, row, above, below, narrow, run, count)
            run += count
    for other in range(column):
        _pixel(step, products, row, other, above, below, narrow)
    for other in range(done, width):
        _pixel(step, products, row, other, above, below, narrow)


@njit(nogil=True)
def _runs(step, products, row, above, below, narrow, run, count):
    """Write some runs of pixels that gather from equally many positions each."""
    stride = step.stride
    turns = (step.kernel + stride - 1) // stride
    across = 4 * step.y_channels * stride
    wide = across * turns
    first, last = max(0, run - step.width + 1), min(turns - 1, run)
    place = products + ((below - 1) * step.width + run - first) * narrow
    place += (row + step.pad - (below - 1) * stride) * wide + first * across
    column = run * stride - step.pad_across
    _add(
        step.mode,
        place,
        below - above,
        stride * wide - step.width * narrow,
        last - first + 1,
        across - narrow,
        count,
        narrow,
        step.y + 4 * step.y_channels * (row * step.y_width + column),
        across,
    )


@njit(nogil=True)
def _add(vector, place, rows, down, columns, across, runs, step, target, written):
    """Choose `_adder`'s by the vector's place among `VECTORS`."""
    if vector == 0:
        sum_four(place, rows, down, columns, across, runs, step, target, written)
    elif vector == 1:
        sum_eight(place, rows, down, columns, across, runs, step, target, written)
    else:
        sum_sixteen(place, rows, down, columns, across, runs, step, target, written)


@njit(nogil=True)
def _pixel(step, products, row, column, above, below, narrow):
    """Write a pixel, or add to it."""
    count, stride = step.y_channels, step.stride
    wide = (step.kernel + stride - 1) // stride * stride
    y = floats(step.y + 4 * (row * step.y_width + column) * count, count)
    if not step.add:
        y[:] = 0
    left, right = _reach(column, column + 1, step.pad_across, step)
    for i in range(above, below):
        u = row + step.pad - i * stride
        for j in range(max(0, left), min(step.width, right)):
            v = column + step.pad_across - j * stride
            sent = floats(products + (i * step.width + j) * narrow, narrow // 4)
            for c in range(count):
                y[c] += sent[(u * wide + v) * count + c]
