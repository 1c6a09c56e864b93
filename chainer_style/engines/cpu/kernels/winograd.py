"""Convolutions of stride 1 by Winograd's minimal filtering, block by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from chainer_style.engines.cpu.kernels import tiles
from chainer_style.engines.cpu.kernels.access import block, words
from chainer_style.engines.cpu.kernels.matrices import Matrices, matrices
from chainer_style.engines.cpu.kernels.products import (
    WIDE,
    product,
    product_asking,
    product_of_pairs,
)
from chainer_style.engines.cpu.kernels.results import DUMP, STEP

TABLES = 4096
"""Bytes at the start of a thread's space for tables of addresses."""

GROUP = tiles.TOGETHER * STEP
"""Bytes of channels that are transformed at once."""

LINE = 64
"""Bytes between two planes of products: without them, all planes of a tile would lie
on the same few lines of the cache, and push each other out."""


@njit(nogil=True)
def _look_up(table, start, row, column, extent, height, width, stride, beyond):
    """Write the addresses of a square of positions; one beyond the map is the same."""
    here, line = start + (row * width + column) * stride, width * stride
    below, right = row + extent, column + extent
    if row >= 0 and column >= 0 and below <= height and right <= width:
        for i in range(extent):
            for j in range(extent):
                table[i * extent + j] = here + i * line + j * stride
        return
    for i in range(extent):
        for j in range(extent):
            inside = 0 <= row + i < height and 0 <= column + j < width
            place = here + i * line + j * stride
            table[i * extent + j] = place if inside else beyond


def make(made: int, kernel: int = 3, half: bool = False) -> Any:
    """Return the kernel of F(made, kernel).

    Its unit is a block of tiles, and a share of the panels of their results.

    Parameters
    ----------
    made
        Results of a tile along an axis.
    kernel
        Extent of the filters.
    half
        Whether transforms and filters are multiplied in bfloat16, pairs of channels
        at a time; sums are float32.
    """
    parts = 2 if half else 1
    multiply = product_of_pairs if half else product
    planes = (made + kernel - 1) ** 2
    take, give = taking(made, kernel, half), giving(made, kernel)
    soon = _nearing(made, kernel)

    @njit(nogil=True)
    def winograd(step, unit, space):
        across = (step.y_width + made - 1) // made
        total = across * ((step.y_height + made - 1) // made)
        first, count = block(step, unit, total)
        share = unit % step.shares
        begin = step.panels * share // step.shares
        panels = step.panels * (share + 1) // step.shares - begin
        wide, narrow = 4 * step.channels // parts, panels * WIDE
        # Products of a plane take the place of the plane before, multiplied already.
        # Every other block goes through the planes from the end: of the filters, those
        # used last are in the cache still.
        plane = step.positions * max(wide, narrow) + LINE
        results = space + TABLES + DUMP
        inputs, onward = results + plane, 1
        if unit // step.shares % 2:
            inputs, results, onward = results, inputs, -1
        depth = step.channels // parts
        size = depth * WIDE
        take(step, first, count, space, inputs, plane)
        following, _ = block(step, unit + 1, total)
        for turn in range(planes):
            i = turn if onward > 0 else planes - 1 - turn
            weights = step.weights + (i * step.panels + begin) * size
            left, place = inputs + i * plane, results + i * plane
            after = weights + onward * step.panels * size
            if not half and step.mode:
                asked, bytes_asked = soon(step, turn, first, following, count)
                product_asking(
                    left,
                    wide,
                    weights,
                    depth,
                    panels,
                    place,
                    narrow,
                    count,
                    after,
                    asked,
                    bytes_asked,
                )
            else:
                multiply(
                    left, wide, weights, depth, panels, place, narrow, count, after
                )
        give(step, first, count, space, results, plane, begin * WIDE, narrow)

    return winograd


def _nearing(made: int, kernel: int) -> Any:
    """Return what tells where maps are soon read and written, for a part of them.

    Half of a block's planes have a part each of where its results go, the others of
    what the following one reads: rows of tiles beside each other.
    """
    seen = made + kernel - 1
    read, written = seen // 2, seen * seen // 2 // made

    @njit(nogil=True)
    def soon(step, plane, first, following, count):
        across, part = (step.y_width + made - 1) // made, plane // 2
        if plane % 2:
            row, column = first // across * made, first % across * made
            wide = 4 * step.y_channels
            size = made * count * wide // written
            row += part // written
            place = step.y + (row * step.y_width + column) * wide
            return place + part % written * size, size
        row = following // across * made - step.pad + part // read
        column = following % across * made - step.pad_across
        wide = 4 * step.channels
        size = (made * count + kernel - 1) * wide // read
        place = step.x + (row * step.width + column) * wide
        return place + part % read * size, size

    return soon


def taking(
    made: int,
    kernel: int,
    half: bool = False,
    use: Callable[[int, int], Matrices] = matrices,
) -> Any:
    """Return what transforms the inputs of some tiles."""
    parts = 2 if half else 1
    seen = made + kernel - 1
    gather = tiles.into(made, kernel, half, use)

    @njit(nogil=True)
    def take(step, first, count, space, inputs, plane):
        across = (step.y_width + made - 1) // made
        table = words(space, seen * seen)
        wide = 4 * step.channels
        for i in range(count):
            _look_up(
                table,
                step.x,
                (first + i) // across * made - step.pad,
                (first + i) % across * made - step.pad_across,
                seen,
                step.height,
                step.width,
                wide,
                step.zeros,
            )
            for offset in range(0, wide, GROUP):
                place = inputs + (i * wide + offset) // parts
                vectors = min(GROUP, wide - offset) // STEP
                gather(space, offset, vectors, place, plane, made * wide)

    return take


def giving(made: int, kernel: int) -> Any:
    """Return what transforms the products of some tiles into results."""
    forth = tiles.back(made, kernel, None)
    back, back_more = (tiles.back(made, kernel, add) for add in (False, True))

    @njit(nogil=True)
    def give(step, first, count, space, products, plane, start, narrow):
        across = (step.y_width + made - 1) // made
        table = space + 8 * made * made
        places, signs = words(space, made * made), words(table, made * made)
        height, width, channels = step.y_height, step.y_width, 4 * step.y_channels
        dump = space + TABLES
        bits = step.mask if step.backward else step.signs
        for j in range(made * made):
            signs[j] = step.ones if step.backward else dump
        for i in range(count):
            row, column = (first + i) // across * made, (first + i) % across * made
            _look_up(places, step.y, row, column, made, height, width, channels, dump)
            if bits:
                each = channels // 32
                _look_up(signs, bits, row, column, made, height, width, each, dump)
            for offset in range(0, narrow, GROUP):
                here, there = products + i * narrow + offset, start + offset
                many, ahead = min(GROUP, narrow - offset) // STEP, made * channels
                if not step.backward:
                    bias, floor = step.bias + there, step.floor
                    forth(here, many, plane, space, table, there, ahead, bias, floor)
                elif step.add:
                    back_more(here, many, plane, space, table, there, ahead, 0, 0)
                else:
                    back(here, many, plane, space, table, there, ahead, 0, 0)

    return give
