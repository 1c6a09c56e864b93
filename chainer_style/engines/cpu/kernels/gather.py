"""The gradient of the picture, through a convolution of stride 1 that reads it.

All that the output's gradient sends to the picture is one product, a position's part
for each place of its window; every pixel then gathers from the positions around it.
For three channels this is cheaper than a convolution, whose panels would be empty.
"""

from __future__ import annotations

from numba import njit

from chainer_style.engines.cpu.kernels.access import floats
from chainer_style.engines.cpu.kernels.products import WIDE, product
from chainer_style.engines.cpu.kernels.results import DUMP
from chainer_style.engines.cpu.kernels.winograd import TABLES


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
    count, size = step.y_channels, narrow // 4
    values = floats(products, rows * size)
    for row in range(first, last):
        y = floats(step.y + 4 * row * step.y_width * count, step.y_width * count)
        if not step.add:
            y[:] = 0
        for i in range(step.kernel):
            source = row + step.pad - i
            if top <= source < bottom:
                begin = (source - top) * step.width
                for j in range(step.kernel):
                    _add(step, values, begin, size, (i * step.kernel + j) * count, y, j)


@njit(nogil=True)
def _add(step, values, begin, size, offset, y, j):
    """Add what a row of positions sends to a row of pixels, from one place."""
    count, shift = step.y_channels, j - step.pad
    first, last = max(0, -shift), min(step.width, step.y_width - shift)
    if count == 3:
        for position in range(first, last):
            source = (begin + position) * size + offset
            target = (position + shift) * 3
            y[target] += values[source]
            y[target + 1] += values[source + 1]
            y[target + 2] += values[source + 2]
        return
    for position in range(first, last):
        source = (begin + position) * size + offset
        for c in range(count):
            y[(position + shift) * count + c] += values[source + c]
