"""Gram matrices, what they are off by, and what follows for the features.

A Gram matrix is symmetric: only the panels on and above its diagonal are computed.
Sums over positions are cut into slots whose number does not depend on that of the
threads, so that results do not either.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from chainer_style.engines.cpu.kernels.access import doubles, floats
from chainer_style.engines.cpu.kernels.products import (
    PANEL,
    ROWS,
    WIDE,
    cross,
    cross_more,
    product_more,
    product_nearby,
)
from chainer_style.engines.cpu.kernels.results import DUMP, deliver
from chainer_style.engines.cpu.kernels.vectors import (
    REORDERED,
    Emitter,
    Loop,
    copy_runs,
    kernel,
)
from chainer_style.engines.cpu.kernels.winograd import LINE, TABLES

DEPTH = 256
"""Positions that are summed up in registers before the sums are written."""


@kernel(10)
def error_rows(
    emit: Emitter,
    sums: Any,
    stride: Any,
    slots: Any,
    apart: Any,
    target: Any,
    wide: Any,
    ahead: Any,
    factors: Any,
    squares: Any,
    out: Any,
) -> None:
    """Write a square block: scaled sums over slots, less the target, scaled.

    Parameters are the address of the sums, bytes from row to row of them, slots, and
    bytes from one to the next; address of the target, bytes from row to row, and to
    what is read of it next; addresses of factors, of squares, and of the result, whose
    rows are a panel's. The factors are that of the sum, that of the result, and that
    of its squares, which are added up.
    """
    builder, lanes = emit.builder, 4 * emit.lanes
    scale, factor, times = (emit.spread(emit.plus(factors, 4 * i)) for i in range(3))
    totals = [emit.load(emit.plus(squares, offset)) for offset in (0, lanes)]
    with Loop(builder, emit.word(PANEL), totals) as row:
        source = emit.plus(sums, builder.mul(row.index, stride))
        wanted = emit.plus(target, builder.mul(row.index, wide))
        written = emit.plus(out, emit.times(row.index, WIDE))
        for i, total in enumerate(row.values):
            emit.fetch(emit.plus(emit.plus(wanted, ahead), i * lanes))
            with Loop(builder, slots, [emit.constant(0)]) as turn:
                slot = emit.plus(source, builder.mul(turn.index, apart))
                more = emit.load(emit.plus(slot, i * lanes))
                turn.following = [emit.add(turn.values[0], more)]
            goal = emit.load(emit.plus(wanted, i * lanes))
            error = emit.subtract(emit.multiply(turn.following[0], scale), goal)
            weighted = emit.multiply(times, error)
            row.following.append(emit.multiply_add(weighted, error, total))
            emit.store(emit.multiply(error, factor), emit.plus(written, i * lanes))
    for i, total in enumerate(row.following):
        emit.store(total, emit.plus(squares, i * lanes))


@njit(nogil=True)
def gram(step, unit, space):
    r"""Sum :math:`F^T F` over a slot of positions, for every so many-th panel."""
    slot, share = unit // step.shares, unit % step.shares
    wide, panels = 4 * step.channels, step.channels // PANEL
    sums = step.y + slot * step.channels * wide
    begin = slot * step.positions
    end = min(begin + step.positions, step.height * step.width)
    squares = 0
    for panel in range(share, panels, step.shares):
        squares += panels - panel
    for first in range(begin, end, DEPTH):
        depth, more = min(DEPTH, end - first), first > begin
        features = step.x + first * wide
        # What is read next is asked for meanwhile, a part with each square.
        ahead, part = features + depth * wide, depth * wide // squares
        for panel in range(share, panels, step.shares):
            for other in range(panel, panels):
                place = sums + panel * PANEL * wide + other * WIDE
                left, right = features + panel * WIDE, features + other * WIDE
                _multiply(left, right, wide, depth, place, wide, more, ahead, part)
                ahead += part


@njit(nogil=True)
def _multiply(left, right, apart, depth, place, stride, more, ahead, asked):
    """Write, or add, the products of two panels of features: a square block.

    So many bytes are asked for that lie ahead.
    """
    blocks = (PANEL + ROWS - 1) // ROWS
    each = (asked + blocks * depth - 1) // (blocks * depth)
    for i in range(blocks):
        first, last = PANEL * i // blocks, PANEL * (i + 1) // blocks
        part, count = left + 4 * first, last - first
        rows, here = place + first * stride, ahead + i * depth * each
        if more:
            cross_more(count, part, apart, right, depth, rows, stride, here, each)
        else:
            cross(count, part, apart, right, depth, rows, stride, here, each)


@njit(nogil=True)
def panel(step, unit, space):
    """Write some positions of a map panel by panel, as Gram matrices are computed.

    In the map, what a panel has of two positions lies as far apart as all channels
    take, and if that is a power of two, on a few lines of the cache.
    """
    wide, positions = 4 * step.channels, step.height * step.width
    first = unit * step.positions
    count = min(step.positions, positions - first)
    for i in range(step.channels // PANEL):
        source = step.x + first * wide + i * WIDE
        place = step.y + i * between(positions) + first * WIDE
        copy_runs(source, place, PANEL, count, wide, WIDE)


@register_jitable
def between(positions: int) -> int:
    """Return the bytes from one panel of a map to the next, laid out panel by panel."""
    return positions * WIDE + LINE


@njit(nogil=True)
def compare(step, unit, space):
    """Add the slots up and write what is off by the target, packed for a product.

    Its unit is a row of panels; it leaves the sum of squares. Without slots it sums
    the products of the features itself, which lie panel by panel. What is wanted in
    double precision is added to what is there, on and above the diagonal, and not
    packed.
    """
    channels, panels = step.channels, step.channels // PANEL
    wide, positions = 4 * channels, step.height * step.width
    constants = space + TABLES + DUMP
    factors, squares = floats(constants, 3), floats(constants + WIDE, PANEL)
    factors[0], factors[1] = np.float32(step.scale), np.float32(step.second_scale)
    squares[:] = 0
    block, apart = constants + 2 * WIDE, between(positions)
    for other in range(unit, panels):
        factors[2] = np.float32(1 if other == unit else 2)
        start = unit * PANEL * wide + other * WIDE
        out = step.y + (other * channels + unit * PANEL) * WIDE
        if step.result:
            out = block
        sums, stride = step.x + start, wide
        if step.source:
            left, right = step.source + unit * apart, step.source + other * apart
            for first in range(0, positions, DEPTH):
                depth, here = min(DEPTH, positions - first), first * WIDE
                _multiply(
                    left + here,
                    right + here,
                    WIDE,
                    depth,
                    block,
                    WIDE,
                    first > 0,
                    right + here + depth * WIDE,
                    depth * WIDE,
                )
            sums, stride = block, WIDE
        target = step.target + start if step.target else step.zeros
        goes = wide if step.target else 0
        error_rows(
            sums,
            stride,
            step.positions,
            channels * wide,
            target,
            goes,
            WIDE,
            constants,
            constants + WIDE,
            out,
        )
        if step.result:
            _add_up(out, step.result + 2 * start, channels)
        else:
            _turn(out, step.y + (unit * channels + other * PANEL) * WIDE)
    doubles(step.partial, unit + 1)[unit] = _total(squares)


@njit(nogil=True)
def _add_up(block, place, channels):
    """Add a square block to a part of a matrix of doubles."""
    values = floats(block, PANEL * PANEL)
    for i in range(PANEL):
        totals = doubles(place + 8 * i * channels, PANEL)
        for j in range(PANEL):
            totals[j] += values[i * PANEL + j]


@njit(nogil=True)
def aim(step, unit, space):
    """Write what sums in double precision are off by, packed for a product.

    Its unit is a row of panels, of which it reads what `compare` adds to; it leaves
    the sum of squares.
    """
    channels = step.channels
    squares = doubles(space + TABLES + DUMP, PANEL)
    squares[:] = 0
    for other in range(unit, channels // PANEL):
        start = 8 * PANEL * (unit * channels + other)
        here = step.y + (other * channels + unit * PANEL) * WIDE
        times = 1.0 if other == unit else 2.0
        for i in range(PANEL):
            row = start + 8 * i * channels
            sums = doubles(step.x + row, PANEL)
            wanted = doubles(step.target + row, PANEL)
            errors = floats(here + i * WIDE, PANEL)
            for j in range(PANEL):
                error = sums[j] * step.scale - wanted[j]
                squares[j] += times * error * error
                errors[j] = error * step.second_scale
        _turn(here, step.y + (unit * channels + other * PANEL) * WIDE)
    doubles(step.partial, unit + 1)[unit] = _total(squares)


@njit(nogil=True)
def _turn(block, place):
    """Write a square block of errors turned: the matrix is symmetric."""
    values, turned = floats(block, PANEL * PANEL), floats(place, PANEL * PANEL)
    if block == place:
        return
    for j in range(PANEL):
        for i in range(PANEL):
            turned[j * PANEL + i] = values[i * PANEL + j]


@njit(nogil=True)
def _total(values):
    """Return a sum to the last bit, however the loops before were compiled."""
    total = 0.0
    for value in values:
        total += value
    return total


@njit(nogil=True, fastmath=REORDERED)
def style(step, unit, space):
    """Write the gradient of the losses at a tap, for a block of positions.

    Features times what their Gram matrix is off by; with a target, the content loss
    too, of which it leaves the sum of squares.
    """
    channels = step.channels
    first = unit * step.positions
    count = min(step.positions, step.height * step.width - first)
    wide = 4 * channels
    products = space + TABLES + DUMP
    features = step.x + first * wide
    panels, weights = channels // PANEL, step.weights
    y = step.y + first * wide
    product_nearby(
        features, wide, weights, channels, panels, products, wide, count, y, wide
    )
    if step.target:
        doubles(step.partial, unit + 1)[unit] = _differ(
            features,
            step.target + first * wide,
            wide,
            products,
            channels,
            count,
            np.float32(step.scale),
            products + count * wide,
        )
    deliver(step, products, wide, first, count, 0, space + TABLES)


@njit(nogil=True, fastmath=REORDERED)
def _differ(ours, theirs, wide, products, channels, count, scale, space):
    """Add the content loss' gradient to products, and return its sum of squares.

    Parameters
    ----------
    ours, theirs
        Address of the features at the first position, and of their targets.
    wide
        Bytes from position to position of both.
    products
        Address of as many channels for each position.
    channels, count
        Extents.
    scale
        Of a difference in the gradient.
    space
        Address of room for as many numbers as channels.
    """
    values, squares = floats(products, count * channels), floats(space, channels)
    squares[:] = 0
    for position in range(count):
        feature = floats(ours + position * wide, channels)
        target = floats(theirs + position * wide, channels)
        start = position * channels
        for c in range(channels):
            difference = feature[c] - target[c]
            squares[c] += difference * difference
            values[start + c] += scale * difference
    return _total(squares)


@njit(nogil=True)
def style_few(step, unit, space):
    """Do what `compare` and `style` do, for a panel of channels at few positions.

    The Gram matrix is computed square by square, and what each is off by multiplied at
    once: where channels are many and positions few, most of the time would go into
    writing and reading the matrix. The target lies in panels, as a right factor, and
    so do the features, beside those in the map.
    """
    channels, positions = step.channels, step.height * step.width
    wide = 4 * channels
    constants = space + TABLES + DUMP
    factors, squares = floats(constants, 3), floats(constants + WIDE, PANEL)
    factors[0], factors[1] = np.float32(step.scale), np.float32(step.second_scale)
    factors[2] = np.float32(1)
    squares[:] = 0
    block, apart = constants + 2 * WIDE, between(positions)
    products = block + PANEL * WIDE
    floats(products, positions * PANEL)[:] = 0
    for other in range(channels // PANEL):
        left, right = step.weights + other * apart, step.weights + unit * apart
        _multiply(left, right, WIDE, positions, block, WIDE, False, block, 0)
        target = step.source + (unit * channels + other * PANEL) * WIDE
        error_rows(
            block,
            WIDE,
            1,
            0,
            target,
            WIDE,
            PANEL * WIDE,
            constants,
            constants + WIDE,
            block,
        )
        product_more(left, WIDE, block, PANEL, 1, products, WIDE, positions, block)
    doubles(step.result, unit + 1)[unit] = _total(squares)
    start = unit * WIDE
    if step.target:
        doubles(step.partial, unit + 1)[unit] = _differ(
            step.x + start,
            step.target + start,
            wide,
            products,
            PANEL,
            positions,
            np.float32(step.third_scale),
            block,
        )
    deliver(step, products, WIDE, 0, positions, start, space + TABLES)
