"""Direct convolutions of small maps, both ways from one copy of the filters.

Where a map has a few positions, most there is to do is to read the filters. What
carries gradients back reads those that were read forth: half the bytes, some of them in
a cache still. Each place of a filter is a product of its own, of the pairs of positions
that are both within the map: windows would multiply the zeros around it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit

from chainer_style.engines.cpu.kernels.access import block, floats, words
from chainer_style.engines.cpu.kernels.products import (
    CACHE_LINE,
    PANEL,
    ROWS,
    WIDE,
    by_rows,
)
from chainer_style.engines.cpu.kernels.results import DUMP, STEP, deliver
from chainer_style.engines.cpu.kernels.vectors import WORD, Emitter, Loop, kernel
from chainer_style.engines.cpu.kernels.winograd import TABLES

PAIR = 16
"""Bytes of a pair in a table: addresses of what is read, and of what is added to."""

LINE = 64
"""Bytes between two panels of filters: without them, what is read of all panels at once
would lie on the same few lines of the cache."""

STREAMS = 16
"""Panels that are read side by side."""

BESIDE = 2
"""Channels whose sums are in registers at once."""


def _pairs(
    emit: Emitter, table: Any, count: int, shift: Any, vectors: int
) -> tuple[list[Any], list[Any]]:
    """Emit: load pairs; return what they read, and each vector that they add to."""
    read, added = (
        [emit.load(emit.plus(table, PAIR * row + at), WORD) for row in range(count)]
        for at in (0, PAIR // 2)
    )
    return read, [
        emit.plus(emit.plus(place, shift), STEP * i)
        for place in added
        for i in range(vectors)
    ]


@kernel(6)
def _forth(
    emit: Emitter, rows: Any, table: Any, shift: Any, b: Any, depth: Any, ahead: Any
) -> None:
    """Add the products of up to `ROWS` pairs and a panel.

    They are added so many bytes behind where the pairs tell. Each turn asks for a row
    of what lies at the address ahead.
    """
    for count in by_rows(emit, rows):
        read, added = _pairs(emit, table, count, shift, 2)
        with Loop(emit.builder, depth, [emit.load(place) for place in added]) as turn:
            here = emit.times(turn.index, WIDE)
            for line in range(0, WIDE, CACHE_LINE):
                emit.fetch(emit.plus(emit.plus(ahead, here), line))
            columns = [emit.load(emit.plus(emit.plus(b, here), at)) for at in (0, STEP)]
            for row, place in enumerate(read):
                left = emit.spread(emit.plus(place, emit.times(turn.index, 4)))
                for i, column in enumerate(columns):
                    total = turn.values[2 * row + i]
                    turn.following.append(emit.multiply_add(left, column, total))
        for value, place in zip(turn.following, added, strict=True):
            emit.store(value, place)


@kernel(7)
def _back(
    emit: Emitter,
    rows: Any,
    table: Any,
    shift: Any,
    along: Any,
    b: Any,
    stride: Any,
    panels: Any,
) -> None:
    """Add the products of up to `ROWS` pairs and `BESIDE` channels of some panels.

    The numbers of a vector are terms of one sum, `_fold` adds them. Pairs are read from
    so many bytes along on; the stride is that of panels. See `_forth`.
    """
    for count in by_rows(emit, rows):
        read, added = _pairs(emit, table, count, shift, BESIDE)
        with Loop(emit.builder, panels, [emit.load(place) for place in added]) as turn:
            here = emit.plus(b, emit.builder.mul(turn.index, stride))
            for line in range(0, BESIDE * WIDE, CACHE_LINE):
                emit.fetch(emit.plus(here, BESIDE * WIDE + line))
            there = emit.plus(along, emit.times(turn.index, WIDE))
            sums = turn.values
            for at in (0, STEP):
                columns = [
                    emit.load(emit.plus(here, WIDE * channel + at))
                    for channel in range(BESIDE)
                ]
                given = [
                    emit.load(emit.plus(emit.plus(place, there), at)) for place in read
                ]
                sums = [
                    emit.multiply_add(given[i // BESIDE], columns[i % BESIDE], sums[i])
                    for i in range(count * BESIDE)
                ]
            turn.following.extend(sums)
        for value, place in zip(turn.following, added, strict=True):
            emit.store(value, place)


@kernel(3)
def _fold(emit: Emitter, a: Any, count: Any, c: Any) -> None:
    """Write the sums over the numbers of vectors, halves added to each other."""
    number = ir.IntType(32)
    with Loop(emit.builder, count, []) as turn:
        value = emit.load(emit.plus(a, emit.times(turn.index, STEP)))
        lanes = emit.lanes
        while lanes > 1:
            lanes //= 2
            halves = [
                emit.builder.shuffle_vector(
                    value, value, ir.Constant(ir.VectorType(number, lanes), list(which))
                )
                for which in (range(lanes), range(lanes, 2 * lanes))
            ]
            value = emit.add(*halves)
        total = emit.builder.extract_element(value, number(0))
        emit.store(total, emit.plus(c, emit.times(turn.index, 4)))


@njit(nogil=True)
def _note(step, first, count, results, apart, tables, numbers):
    """Write the pairs of each place of the filter, and how many they are."""
    for place in range(step.kernel * step.kernel):
        row, column = place // step.kernel, place % step.kernel
        if step.backward:
            row, column = step.kernel - 1 - row, step.kernel - 1 - column
        table = words(tables + place * count * PAIR, 2 * count)
        found = 0
        for i in range(count):
            there = (first + i) // step.y_width + row - step.pad
            across = (first + i) % step.y_width + column - step.pad_across
            if 0 <= there < step.height and 0 <= across < step.width:
                position = there * step.width + across
                table[2 * found] = step.x + 4 * step.channels * position
                table[2 * found + 1] = results + i * apart
                found += 1
        numbers[place] = found


@njit(nogil=True)
def _all_forth(step, begin, panel, table, pairs, place):
    """Add what a place of the filters makes of some pairs, for one more panel."""
    depth = step.channels
    size = depth * WIDE
    whole = step.kernel * step.kernel * size + LINE
    here = step.weights + (begin + panel) * whole + place * size
    parts = (pairs + ROWS - 1) // ROWS
    for part in range(parts):
        lo, hi = pairs * part // parts, pairs * (part + 1) // parts
        ahead = here if part else here + size
        _forth(hi - lo, table + lo * PAIR, panel * WIDE, here, depth, ahead)


@njit(nogil=True)
def _all_back(step, begin, panels, table, pairs, place):
    """Add what a place of the filters makes of some pairs, for channels of panels."""
    size = step.y_channels * WIDE
    whole = step.kernel * step.kernel * size + LINE
    start = step.weights + place * size + begin * PANEL * WIDE
    parts, there = (pairs + ROWS - 1) // ROWS, step.channels // PANEL
    for part in range(parts):
        lo, hi = pairs * part // parts, pairs * (part + 1) // parts
        for first in range(0, there, STREAMS):
            here, many = start + first * whole, min(STREAMS, there - first)
            for channel in range(0, panels * PANEL, BESIDE):
                _back(
                    hi - lo,
                    table + lo * PAIR,
                    channel * STEP,
                    first * WIDE,
                    here + channel * WIDE,
                    whole,
                    many,
                )


def room(positions: int, places: int, panels: int) -> int:
    """Return the bytes that a unit needs.

    Parameters
    ----------
    positions
        That it writes.
    places
        Of a filter.
    panels
        Of its results.
    """
    return positions * (places * PAIR + panels * (WIDE + PANEL * STEP))


@njit(nogil=True)
def direct(step, unit, space):
    """Convolve for some positions, a share of the panels of their results."""
    first, count = block(step, unit, step.y_height * step.y_width)
    share = unit % step.shares
    begin = step.panels * share // step.shares
    panels = step.panels * (share + 1) // step.shares - begin
    places, narrow = step.kernel * step.kernel, panels * WIDE
    numbers, tables = words(space, places), space + TABLES + DUMP
    results = tables + count * places * PAIR
    sums, wide = results, narrow
    if step.backward:
        sums, wide = results + count * narrow, panels * PANEL * STEP
    floats(sums, count * wide // 4)[:] = 0
    _note(step, first, count, sums, wide, tables, numbers)
    if step.backward:
        for place in range(places):
            table = tables + place * count * PAIR
            _all_back(step, begin, panels, table, numbers[place], place)
        _fold(sums, count * panels * PANEL, results)
    else:
        for panel in range(panels):
            for place in range(places):
                table = tables + place * count * PAIR
                _all_forth(step, begin, panel, table, numbers[place], place)
    deliver(step, results, narrow, first, count, begin * WIDE, space + TABLES)
