"""Convolutions of stride 1 by Winograd's minimal filtering, block by block."""

from __future__ import annotations

from typing import Any

from numba import njit

from chainer_style.engines.cpu.kernels import tiles
from chainer_style.engines.cpu.kernels.access import words
from chainer_style.engines.cpu.kernels.products import WIDE, product, product_of_pairs
from chainer_style.engines.cpu.kernels.results import DUMP, STEP

TABLES = 4096
"""Bytes at the start of a thread's space for tables of addresses."""

LINE = 64
"""Bytes between two planes of products: without them, all planes of a tile would lie
on the same few lines of the cache, and push each other out."""


@njit(nogil=True)
def _look_up(table, start, row, column, extent, height, width, stride, beyond):
    """Write the addresses of a square of positions; one beyond the map is the same."""
    for i in range(extent):
        for j in range(extent):
            inside = 0 <= row + i < height and 0 <= column + j < width
            here = start + ((row + i) * width + column + j) * stride
            table[i * extent + j] = here if inside else beyond


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
    seen = made + kernel - 1
    planes = seen * seen
    gather = tiles.into(made, kernel, half)
    scatter = tiles.back(made, kernel, None)
    scatter_back = tiles.back(made, kernel, False)
    scatter_more = tiles.back(made, kernel, True)

    @njit(nogil=True)
    def winograd(step, unit, space):
        across = (step.y_width + made - 1) // made
        total = across * ((step.y_height + made - 1) // made)
        first = unit // step.shares * step.positions
        count = min(step.positions, total - first)
        share = unit % step.shares
        begin = step.panels * share // step.shares
        panels = step.panels * (share + 1) // step.shares - begin
        table = words(space, planes)
        inputs = space + TABLES + DUMP
        wide = 4 * step.channels
        plane = step.positions * wide // parts + LINE
        for i in range(count):
            row, column = (first + i) // across, (first + i) % across
            _look_up(
                table,
                step.x,
                row * made - step.pad,
                column * made - step.pad,
                seen,
                step.height,
                step.width,
                wide,
                step.zeros,
            )
            for offset in range(0, wide, STEP):
                gather(space, offset, inputs + (i * wide + offset) // parts, plane)
        results = inputs + planes * plane
        narrow = panels * WIDE
        result_plane = step.positions * narrow + LINE
        for i in range(planes):
            depth = step.channels // parts
            weights = step.weights + (i * step.panels + begin) * depth * WIDE
            multiply(
                inputs + i * plane,
                wide // parts,
                weights,
                depth,
                panels,
                results + i * result_plane,
                narrow,
                count,
            )
        places, signs = words(space, made * made), words(space + 1024, made * made)
        channels = 4 * step.y_channels
        dump = space + TABLES
        start = begin * WIDE
        bits = step.mask if step.backward else step.signs
        for i in range(count):
            row, column = (first + i) // across * made, (first + i) % across * made
            _look_up(
                places,
                step.y,
                row,
                column,
                made,
                step.y_height,
                step.y_width,
                channels,
                dump,
            )
            if bits:
                _look_up(
                    signs,
                    bits,
                    row,
                    column,
                    made,
                    step.y_height,
                    step.y_width,
                    channels // 32,
                    dump,
                )
            else:
                for j in range(made * made):
                    signs[j] = step.ones if step.backward else dump
            for offset in range(0, narrow, STEP):
                here = results + i * narrow + offset
                there = start + offset
                if not step.backward:
                    scatter(
                        here,
                        result_plane,
                        space,
                        space + 1024,
                        there,
                        step.bias + there,
                        step.floor,
                    )
                elif step.add:
                    scatter_more(here, result_plane, space, space + 1024, there, 0, 0)
                else:
                    scatter_back(here, result_plane, space, space + 1024, there, 0, 0)

    return winograd
