"""Winograd's minimal filtering with filters that are transformed as they are used.

Transformed, filters take four times their bytes for F(4, 3), and where tiles are few it
takes longer to read those than to multiply them. Here filters are read as they are: a
row of planes at a time, transforms and sums stay in registers.
"""

from __future__ import annotations

import itertools
from typing import Any

from numba import njit

from chainer_style.engines.cpu.kernels import target, tiles
from chainer_style.engines.cpu.kernels.matrices import folded
from chainer_style.engines.cpu.kernels.products import CACHE_LINE, WIDE
from chainer_style.engines.cpu.kernels.results import DUMP
from chainer_style.engines.cpu.kernels.vectors import Emitter, Loop, kernel
from chainer_style.engines.cpu.kernels.winograd import LINE, TABLES, giving, taking

GROUP = 4 if target.get().name == "avx512" else 1
"""Tiles whose sums, of a row of planes, are held in registers at once."""

CHUNK = 32
"""Channels read whose filters stay in the first cache until all is done with them."""


def _block(made: int, size: int) -> Any:
    seen, matrix = made + size - 1, folded(made, size).filters

    def turn_of(emit: Emitter, row: int, here: Any) -> list[Any]:
        """Emit the transforms of a filter, a vector of outputs, for a row of planes."""
        loaded = {
            (i, j): emit.load(emit.plus(here, WIDE * (i * size + j)))
            for i in range(size)
            for j in range(size)
            if matrix[row][i]
        }
        sums = []
        for j in range(size):
            terms = [
                (matrix[row][i], loaded[i, j]) for i in range(size) if matrix[row][i]
            ]
            sums.append(tiles.weighted(emit, terms))
        return tiles.by_parity(emit, matrix, sums)

    @kernel(11)
    def block(
        emit: Emitter,
        which: Any,
        a: Any,
        plane: Any,
        wide: Any,
        b: Any,
        depth: Any,
        c: Any,
        c_plane: Any,
        narrow: Any,
        ahead: Any,
        each: Any,
    ) -> None:
        """Write, or add, the products of up to `GROUP` tiles, for a row of planes.

        Which is the row, times one more than `GROUP`, plus the number of tiles, all of
        that twice, and one more if results are added to; strides are those from plane
        to plane and from tile to tile. With each turn two lines are asked for ahead,
        which goes on by so many bytes.
        """
        builder = emit.builder
        done = builder.append_basic_block("computed")
        choice = builder.switch(which, done)
        kinds = itertools.product(range(seen), range(1, GROUP + 1), (False, True))
        for row, count, add in kinds:
            case = builder.append_basic_block(f"row{row}tiles{count}add{add}")
            number = 2 * (row * (GROUP + 1) + count) + add
            choice.add_case(emit.word(number), case)
            builder.position_at_end(case)
            pairs = [(tile, j) for tile in range(count) for j in range(seen)]
            places = [
                emit.plus(emit.plus(c, emit.times(c_plane, j)), emit.times(narrow, t))
                for t, j in pairs
            ]
            starts = [
                emit.plus(emit.times(plane, j), emit.times(wide, t)) for t, j in pairs
            ]
            zero = emit.constant(0)
            begin = [emit.load(place) if add else zero for place in places]
            with Loop(builder, depth, begin) as turn:
                asked = emit.plus(ahead, builder.mul(turn.index, each))
                for line in (0, CACHE_LINE):
                    emit.fetch(emit.plus(asked, line))
                here = emit.plus(b, emit.times(turn.index, size * size * WIDE))
                made_of = turn_of(emit, row, here)
                left = emit.plus(a, emit.times(turn.index, 4))
                for (_, j), start, total in zip(
                    pairs, starts, turn.values, strict=True
                ):
                    value = emit.spread(emit.plus(left, start))
                    turn.following.append(emit.multiply_add(value, made_of[j], total))
            for value, place in zip(turn.following, places, strict=True):
                emit.store(value, place)
            builder.branch(done)
        builder.position_at_end(done)

    return block


def make(made: int, kernel: int = 3) -> Any:
    """Return the kernel of F(made, kernel); its unit is a share of the panels.

    Parameters
    ----------
    made
        Results of a tile along an axis.
    kernel
        Extent of the filters.
    """
    seen, places = made + kernel - 1, kernel**2
    take, give = taking(made, kernel, use=folded), giving(made, kernel)
    block = _block(made, kernel)

    @njit(nogil=True)
    def fresh(step, unit, space):
        count, depth = step.positions, step.channels
        begin = step.panels * unit // step.shares
        panels = step.panels * (unit + 1) // step.shares - begin
        wide, narrow = 4 * depth, panels * WIDE
        plane, y_plane = count * wide + LINE, count * narrow + LINE
        inputs = space + TABLES + DUMP
        results = inputs + seen * seen * plane
        take(step, 0, count, space, inputs, plane)
        groups = (count + GROUP - 1) // GROUP
        each = places * WIDE // (2 * seen * groups) + 1
        here = step.weights + begin * depth * places * WIDE
        for panel in range(panels):
            for first in range(0, depth, CHUNK):
                part = min(CHUNK, depth - first)
                ahead = here + part * places * WIDE
                for turn in range(2 * seen * groups):
                    half, row = turn // (seen * groups), turn // groups % seen
                    group = turn % groups
                    lo, hi = count * group // groups, count * (group + 1) // groups
                    shift = half * (WIDE // 2)
                    left = inputs + row * seen * plane + lo * wide + 4 * first
                    out = results + row * seen * y_plane + lo * narrow + panel * WIDE
                    which = 2 * (row * (GROUP + 1) + hi - lo) + (first > 0)
                    block(
                        which,
                        left,
                        plane,
                        wide,
                        here + shift,
                        part,
                        out + shift,
                        y_plane,
                        narrow,
                        ahead,
                        each,
                    )
                    ahead += part * each
                here += part * places * WIDE
        give(step, 0, count, space, results, y_plane, begin * WIDE, narrow)

    return fresh
