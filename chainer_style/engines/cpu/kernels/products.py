"""Matrix products whose sums stay in registers.

The right factor is packed in panels: as many columns as two vectors hold, for all
rows one after the other. See Goto and van de Geijn 2008, doi 10.1145/1356052.1356053.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit

from chainer_style.engines.cpu.kernels import target
from chainer_style.engines.cpu.kernels.vectors import (
    FLOAT,
    PAIR,
    Emitter,
    Loop,
    kernel,
)

ROWS = target.get().rows
PANEL = target.get().panel
WIDE = 4 * PANEL
"""Bytes of a row of a panel."""

AHEAD = 1024
"""Rows of a panel at most that is asked for ahead: larger ones would push out what is
in use, and what goes on for so long the hardware asks for by itself."""


def _sums(
    emit: Emitter,
    a: Any,
    step: Any,
    distances: list[Any],
    b: Any,
    b_step: Any,
    depth: Any,
    start: list[Any],
    pairs: bool,
    ahead: bool,
) -> list[Any]:
    """Emit the sums of a block: row after row, two vectors each."""
    multiply_add = emit.multiply_add_pairs if pairs else emit.multiply_add
    kind = PAIR if pairs else FLOAT
    vector = ir.VectorType(kind, emit.lanes)
    count = emit.lanes * 4
    with Loop(emit.builder, depth, start) as turn:
        panel = emit.plus(b, emit.builder.mul(turn.index, b_step))
        right = [emit.load(place, vector) for place in (panel, emit.plus(panel, count))]
        if ahead:
            behind = emit.plus(panel, emit.times(depth, WIDE))
            for place in (behind, emit.plus(behind, count)):
                emit.fetch(place)
        here = emit.plus(a, emit.builder.mul(turn.index, step))
        for row, distance in enumerate(distances):
            left = emit.spread(emit.plus(here, distance), kind)
            for i, column in enumerate(right):
                total = turn.values[2 * row + i]
                turn.following.append(multiply_add(left, column, total))
    return turn.following


def _block(
    transposed: bool = False,
    add: bool = False,
    pairs: bool = False,
    ahead: bool = False,
) -> Any:
    @kernel(7)
    def block(
        emit: Emitter,
        rows: Any,
        a: Any,
        stride: Any,
        b: Any,
        depth: Any,
        c: Any,
        c_stride: Any,
    ) -> None:
        """Write the product of up to `ROWS` rows and a panel.

        The stride of `a` is that of its rows; transposed, that of its columns, and of
        the rows of `b` too. With pairs of bfloat16, the depth counts these. The panel
        behind is asked for ahead of time, if it is to be.
        """
        builder = emit.builder
        done = builder.append_basic_block("computed")
        choice = builder.switch(rows, done)
        for count in range(1, ROWS + 1):
            case = builder.append_basic_block(f"rows{count}")
            choice.add_case(emit.word(count), case)
            builder.position_at_end(case)
            places = [
                emit.plus(emit.plus(c, emit.times(c_stride, row)), 4 * emit.lanes * i)
                for row in range(count)
                for i in range(2)
            ]
            if transposed:
                distances: list[Any] = [4 * row for row in range(count)]
                step = b_step = stride
            else:
                distances = [emit.times(stride, row) for row in range(count)]
                step, b_step = emit.word(4), emit.word(WIDE)
            zero = emit.constant(0)
            start = [emit.load(place) if add else zero for place in places]
            sums = _sums(
                emit, a, step, distances, b, b_step, depth, start, pairs, ahead
            )
            for value, place in zip(sums, places, strict=True):
                emit.store(value, place)
            builder.branch(done)
        builder.position_at_end(done)

    return block


block, block_more = _block(), _block(add=True)
block_on, block_more_on = _block(ahead=True), _block(add=True, ahead=True)
cross, cross_more = _block(transposed=True), _block(transposed=True, add=True)
block_of_pairs, block_of_pairs_on = block, block_on
if target.has_bfloat16():
    block_of_pairs = _block(pairs=True)
    block_of_pairs_on = _block(pairs=True, ahead=True)


def _product(block: Any, block_on: Any) -> Any:
    """Return what writes, or adds, a product of matrices, block by block.

    Parameters
    ----------
    a, stride
        Address of the left factor, and bytes from row to row.
    b, depth, panels
        Address of the right factor in panels, its rows, and its panels.
    c, c_stride
        Address of the product, and bytes from row to row.
    rows
        Of the left factor.
    """

    @njit(nogil=True)
    def product(a, stride, b, depth, panels, c, c_stride, rows):
        blocks = (rows + ROWS - 1) // ROWS
        for panel in range(panels):
            right = b + panel * depth * WIDE
            for i in range(blocks):
                first, last = rows * i // blocks, rows * (i + 1) // blocks
                left, place = a + first * stride, c + first * c_stride + panel * WIDE
                # The last block finds its panel in the cache: time to ask for the next.
                if i + 1 == blocks and depth <= AHEAD:
                    block_on(last - first, left, stride, right, depth, place, c_stride)
                else:
                    block(last - first, left, stride, right, depth, place, c_stride)

    return product


product = _product(block, block_on)
product_more = _product(block_more, block_more_on)
product_of_pairs = _product(block_of_pairs, block_of_pairs_on)
