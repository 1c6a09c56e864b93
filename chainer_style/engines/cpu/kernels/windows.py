"""Any convolution, and any gradient of one: windows, packed, times filters.

The gradient of the input of a convolution is a convolution as well: a square of
pixels gathers from the same window of the output's gradient, see `filters.turned`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chainer_style.engines.cpu.kernels.access import block, floats, octets
from chainer_style.engines.cpu.kernels.products import WIDE, product_nearby
from chainer_style.engines.cpu.kernels.results import DUMP, deliver
from chainer_style.engines.cpu.kernels.vectors import copy_runs
from chainer_style.engines.cpu.kernels.winograd import TABLES


@njit(nogil=True)
def _pack(step, group, row, column, out):
    """Write the window that begins at a position, zeros beyond the map."""
    each = step.count
    channels = step.channels
    x = floats(step.x, step.height * step.width * channels)
    packed = floats(out, step.kernel * step.kernel * each)
    first = group * each
    at = 0
    for i in range(row, row + step.kernel):
        if i < 0 or i >= step.height:
            packed[at : at + step.kernel * each] = 0
            at += step.kernel * each
            continue
        whole = column >= 0 and column + step.kernel <= step.width
        start = (i * step.width + column) * channels
        if whole and each == channels:
            for c in range(step.kernel * each):
                packed[at + c] = x[start + c]
            at += step.kernel * each
            continue
        for j in range(column, column + step.kernel):
            if 0 <= j < step.width:
                for c in range(each):
                    packed[at + c] = x[start + first + c]
            else:
                packed[at : at + each] = 0
            start += channels
            at += each


@njit(nogil=True)
def _pack_whole(step, row, column, runs, out):
    """Write the windows of positions beside each other that lie within the columns."""
    each, apart = step.kernel * step.channels, 4 * step.channels
    wide = 4 * step.kernel * each
    for i in range(step.kernel):
        place = out + 4 * i * each
        if 0 <= row + i < step.height:
            source = step.x + ((row + i) * step.width + column) * apart
            copy_runs(source, place, each, runs, step.stride * apart, wide)
            continue
        for j in range(runs):
            floats(place + j * wide, each)[:] = 0


@njit(nogil=True)
def _pack_all(step, group, first, count, across, out):
    """Write the windows of some positions, those of a row together if they can be."""
    wide = 4 * step.kernel * step.kernel * step.count
    together = step.count == step.channels and step.kernel * step.count >= 8
    # Columns of results whose windows lie within the map.
    pad = step.pad_across
    begin = (pad + step.stride - 1) // step.stride
    end = min(across, (step.width + pad - step.kernel) // step.stride + 1)
    i = 0
    while i < count:
        column = (first + i) % across
        row = (first + i) // across * step.stride - step.pad
        left, here = column * step.stride - pad, out + i * wide
        runs = min(end - column, count - i)
        if together and column >= begin and runs > 0:
            _pack_whole(step, row, left, runs, here)
            i += runs
        else:
            _pack(step, group, row, left, here)
            i += 1


@njit(nogil=True)
def _spread(step, products, wide, first, count):
    """Write squares of results, row by row."""
    across = (step.y_width + step.square - 1) // step.square
    each = step.y_channels
    y = floats(step.y, step.y_height * step.y_width * each)
    mask = octets(step.mask, max(1, step.y_height * step.y_width * each // 8))
    values = floats(products, count * (wide // 4))
    for i in range(count):
        top, left = (
            (first + i) // across * step.square,
            (first + i) % across * step.square,
        )
        run = min(step.square, step.y_width - left) * each
        for u in range(min(step.square, step.y_height - top)):
            start = ((top + u) * step.y_width + left) * each
            source = i * (wide // 4) + u * step.square * each
            if not (step.add or step.mask):
                for c in range(run):
                    y[start + c] = values[source + c]
                continue
            for c in range(run):
                at, value = start + c, values[source + c]
                value += y[at] if step.add else np.float32(0)
                if step.mask and not mask[at >> 3] >> (at & 7) & 1:
                    value = np.float32(0)
                y[at] = value


@njit(nogil=True)
def windows(step, unit, space):
    """Multiply a block of windows by a share of the panels of a group."""
    across = (step.y_width + step.square - 1) // step.square
    total = across * ((step.y_height + step.square - 1) // step.square)
    first, count = block(step, unit, total)
    share = unit % step.shares
    split = step.shares // step.groups
    group, part = share // split, share % split
    begin = step.panels * part // split
    panels = step.panels * (part + 1) // split - begin
    depth = step.kernel * step.kernel * step.count
    wide = 4 * depth
    inputs = space + TABLES + DUMP
    results = inputs
    plain = step.kernel == step.stride == step.square == step.groups == 1
    # A part of a map may be read for a larger or a smaller one.
    whole = step.width == step.y_width and step.height >= step.y_height
    if plain and whole and not (step.pad or step.pad_across):
        inputs = step.x + first * wide
    else:
        results = inputs + step.positions * wide
        _pack_all(step, group, first, count, across, inputs)
    weights = step.weights + (group * step.panels + begin) * depth * WIDE
    narrow = panels * WIDE
    apart = 0 if step.mode else 4 * step.y_channels
    y = step.y + first * apart
    product_nearby(
        inputs, wide, weights, depth, panels, results, narrow, count, y, apart
    )
    if step.mode:
        _spread(step, results, narrow, first, count)
    else:
        start = (group * step.panels + begin) * WIDE
        deliver(step, results, narrow, first, count, start, space + TABLES)
