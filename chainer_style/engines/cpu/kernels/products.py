"""Matrix products whose sums stay in registers.

The right factor is packed in panels: as many columns as two vectors hold, for all
rows one after the other. See Goto and van de Geijn 2008, doi 10.1145/1356052.1356053.
"""

from __future__ import annotations

from collections.abc import Iterator
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
"""Rows of a panel at most that is asked for while another is multiplied: larger ones
would push out what is in use."""

SOON = 8192
"""Bytes ahead that larger ones are asked for as they are multiplied: the hardware asks
by itself, but no further than a page."""

HELD = 1 << 19
"""Bytes of a right factor at most that a core's own cache holds beside all else."""

CACHE_LINE = 64
"""Bytes that are asked for at once."""


def by_rows(emit: Emitter, rows: Any) -> Iterator[int]:
    """Yield each number of rows, with code to be written that is for so many."""
    builder = emit.builder
    done = builder.append_basic_block("computed")
    choice = builder.switch(rows, done)
    for count in range(1, ROWS + 1):
        case = builder.append_basic_block(f"rows{count}")
        choice.add_case(emit.word(count), case)
        builder.position_at_end(case)
        yield count
        builder.branch(done)
    builder.position_at_end(done)


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
    asked: list[tuple[Any, Any]],
) -> list[Any]:
    """Emit the sums of a block: row after row, two vectors each.

    Every turn asks for what lies at some addresses, each further on by some bytes.
    """
    multiply_add = emit.multiply_add_pairs if pairs else emit.multiply_add
    kind = PAIR if pairs else FLOAT
    vector = ir.VectorType(kind, emit.lanes)
    count = emit.lanes * 4
    with Loop(emit.builder, depth, start) as turn:
        panel = emit.plus(b, emit.builder.mul(turn.index, b_step))
        right = [emit.load(place, vector) for place in (panel, emit.plus(panel, count))]
        for place, each in asked:
            emit.fetch(emit.plus(place, emit.builder.mul(turn.index, each)))
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
    lines: int = 1,
    results: bool = False,
) -> Any:
    @kernel(11 if results else 9)
    def block(
        emit: Emitter,
        rows: Any,
        a: Any,
        stride: Any,
        b: Any,
        depth: Any,
        c: Any,
        c_stride: Any,
        ahead: Any,
        each: Any,
        place: Any = None,
        beside: Any = None,
    ) -> None:
        """Write the product of up to `ROWS` rows and a panel.

        The stride of `a` is that of its rows; transposed, that of its columns, and of
        the rows of `b` too. With pairs of bfloat16, the depth counts these. With each
        of its turns it asks for some lines of what lies at the address ahead, and goes
        on there by so many bytes; with results, for what lies at their place too.
        """
        for count in by_rows(emit, rows):
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
            asked = [(emit.plus(ahead, CACHE_LINE * i), each) for i in range(lines)]
            if results:
                asked.append((place, beside))
            sums = _sums(
                emit, a, step, distances, b, b_step, depth, start, pairs, asked
            )
            for value, at in zip(sums, places, strict=True):
                emit.store(value, at)

    return block


cross, cross_more = _block(transposed=True), _block(transposed=True, add=True)


def _product(**kind: bool) -> Any:
    """Return what writes, or adds, a product of matrices, block by block.

    While a panel is multiplied the next one is asked for, a few bytes with every turn:
    asked for faster than memory gives, it would stand in the way of what is needed now.
    Of a large panel, what comes soon is asked for by the first rows.

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
    after
        Address of the panel that is read after the last one.
    """
    block, block_alone = _block(**kind), _block(lines=2, **kind)

    @njit(nogil=True)
    def product(a, stride, b, depth, panels, c, c_stride, rows, after):
        blocks = max(1, (rows + ROWS - 1) // ROWS)
        size = depth * WIDE
        large, each = depth > AHEAD, (WIDE + blocks - 1) // blocks
        for panel in range(panels):
            right = b + panel * size
            ahead = right + size if panel + 1 < panels else after
            for i in range(blocks):
                first, last = rows * i // blocks, rows * (i + 1) // blocks
                left, place = a + first * stride, c + first * c_stride + panel * WIDE
                count, here, apart = last - first, ahead + i * depth * each, each
                if large:
                    here, apart = right + SOON, WIDE if i == 0 else 0
                if blocks == 1 or (large and i == 0):
                    block_alone(
                        count, left, stride, right, depth, place, c_stride, here, apart
                    )
                else:
                    block(
                        count, left, stride, right, depth, place, c_stride, here, apart
                    )

    return product


product, product_more = _product(), _product(add=True)
product_of_pairs = product
if target.has_bfloat16():
    product_of_pairs = _product(pairs=True)

_block_nearby = _block(results=True)
_block_asking = _block(results=True, lines=2)


@njit(nogil=True)
def product_asking(
    a, stride, b, depth, panels, c, c_stride, rows, after, elsewhere, size
):
    """Write a product as `product` does, and ask for what is needed elsewhere.

    Parameters
    ----------
    a, stride, b, depth, panels, c, c_stride, rows, after
        See `_product`.
    elsewhere, size
        Address of what will be needed when all is multiplied, and its bytes.
    """
    blocks = max(1, (rows + ROWS - 1) // ROWS)
    turns, each = blocks * panels * depth, (WIDE + blocks - 1) // blocks
    apart = (size + turns - 1) // turns
    for panel in range(panels):
        right = b + panel * depth * WIDE
        ahead = right + depth * WIDE if panel + 1 < panels else after
        for i in range(blocks):
            first, last = rows * i // blocks, rows * (i + 1) // blocks
            left, place = a + first * stride, c + first * c_stride + panel * WIDE
            _block_asking(
                last - first,
                left,
                stride,
                right,
                depth,
                place,
                c_stride,
                ahead,
                each,
                elsewhere,
                apart,
            )
            ahead += depth * each
            elsewhere += depth * apart


@njit(nogil=True)
def product_nearby(a, stride, b, depth, panels, c, c_stride, rows, y, y_stride):
    """Write a product, all panels for some rows in turn if that moves fewer bytes.

    While some rows are multiplied, those behind are asked for, and what lies where
    results go later on.

    Parameters
    ----------
    a, stride, b, depth, panels, c, c_stride, rows
        See `_product`.
    y, y_stride
        Address where results go, and bytes from row to row.
    """
    size = depth * WIDE
    if size * panels > HELD or rows < panels * PANEL:
        product(a, stride, b, depth, panels, c, c_stride, rows, b)
        return
    blocks, turns = (rows + ROWS - 1) // ROWS, panels * depth
    for i in range(blocks):
        first, last = rows * i // blocks, rows * (i + 1) // blocks
        count, left, place = last - first, a + first * stride, c + first * c_stride
        ahead, each = a + last * stride, (count * stride + turns - 1) // turns
        there, beside = y + first * y_stride, (count * y_stride + turns - 1) // turns
        for panel in range(panels):
            right = b + panel * size
            _block_nearby(
                count,
                left,
                stride,
                right,
                depth,
                place,
                c_stride,
                ahead,
                each,
                there,
                beside,
            )
            place += WIDE
            ahead += depth * each
            there += depth * beside
