"""Winograd's transforms of tiles, a vector of channels at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainer_style.engines.cpu.kernels.matrices import Matrices, Matrix, matrices
from chainer_style.engines.cpu.kernels.results import backward, forward
from chainer_style.engines.cpu.kernels.vectors import Emitter, Loop, kernel

TOGETHER = 2
"""Vectors of channels at most that are transformed at once: what lies beside each other
in memory is then asked for in its order."""


class _Squares:
    """Tiles that are transformed along one axis, in memory, until they are along both.

    Loops go over rows, then over columns: written out, a large tile is more code than
    a processor keeps decoded.

    Parameters
    ----------
    emit
        Where to write.
    rows, columns
        Of a tile, when its rows are transformed.
    count
        Vectors of channels, `TOGETHER` at most.
    """

    def __init__(self, emit: Emitter, rows: int, columns: int, count: Any) -> None:
        self._emit, self._rows, self._columns = emit, rows, columns
        self._count, self._wide = count, 4 * emit.lanes
        self._start = emit.room(TOGETHER * rows * columns)

    def _at(self, vector: Any, row: Any, column: Any) -> Any:
        emit, line = self._emit, self._wide * self._columns
        here = emit.plus(self._start, emit.times(vector, self._rows * line))
        here = emit.plus(here, emit.times(row, line))
        return emit.plus(here, emit.times(column, self._wide))

    def write(self, row_of: Callable[[Any, Any], list[Any]]) -> None:
        """Emit: write all rows; what gives one is told its number and the vector's."""
        emit, rows = self._emit, self._emit.word(self._rows)
        loops = Loop(emit.builder, rows, []), Loop(emit.builder, self._count, [])
        with loops[0] as row, loops[1] as vector:
            found = row_of(row.index, vector.index)
            here = self._at(vector.index, row.index, emit.word(0))
            for j, value in enumerate(found):
                emit.store(value, emit.plus(here, self._wide * j))

    def read(self, use: Callable[[Any, Any, list[Any]], None]) -> None:
        """Emit: read all columns; who uses one is told its number and the vector's."""
        emit, line = self._emit, self._wide * self._columns
        columns = emit.word(self._columns)
        loops = Loop(emit.builder, columns, []), Loop(emit.builder, self._count, [])
        with loops[0] as column, loops[1] as vector:
            here = self._at(vector.index, emit.word(0), column.index)
            places = [emit.plus(here, line * i) for i in range(self._rows)]
            use(column.index, vector.index, [emit.load(place) for place in places])


def into(
    made: int,
    kernel_size: int = 3,
    half: bool = False,
    use: Callable[[int, int], Matrices] = matrices,
) -> Any:
    """Return what transforms the input of F(made, kernel), some vectors of channels.

    Parameters
    ----------
    made
        Results of a tile along an axis.
    kernel_size
        Extent of the filters.
    half
        Whether to write bfloat16.
    use
        What gives the matrices.
    """
    matrix, seen = use(made, kernel_size).into, made + kernel_size - 1

    @kernel(6)
    def gather(
        emit: Emitter,
        table: Any,
        offset: Any,
        count: Any,
        out: Any,
        plane: Any,
        ahead: Any,
    ) -> None:
        """Read a tile and write its transform.

        Parameters are the table of the addresses that the tile reads, the offset of
        the channels in bytes, how many vectors of them, the address of the first
        result, the bytes from there to the next plane, and the bytes to what the next
        tile reads.
        """
        builder, wide = emit.builder, 4 * emit.lanes

        def result(first: Any, vector: Any) -> Any:
            """Return where the vector's result in a plane goes."""
            place = emit.plus(out, builder.mul(plane, first))
            return emit.plus(place, emit.times(vector, wide // 2 if half else wide))

        def row_of(row: Any, vector: Any) -> list[Any]:
            there = result(emit.times(row, seen), vector)
            for j in range(seen):
                emit.fetch(emit.plus(there, emit.times(plane, j)), to_write=True)
            line = emit.plus(table, emit.times(row, 8 * seen))
            here = emit.plus(offset, emit.times(vector, wide))
            places = [emit.plus(line, 8 * j) for j in range(seen)]
            addresses = [emit.load(place, emit.word(0).type) for place in places]
            addresses = [emit.plus(address, here) for address in addresses]
            tile = [emit.load(address) for address in addresses]
            for address in addresses[kernel_size - 1 :]:
                emit.fetch(emit.plus(address, ahead))
            return by_parity(emit, matrix, tile)

        def write(column: Any, vector: Any, values: list[Any]) -> None:
            there = result(column, vector)
            for i, value in enumerate(by_parity(emit, matrix, values)):
                value = emit.halves(value) if half else value
                emit.store(value, emit.plus(there, emit.times(plane, i * seen)))

        squares = _Squares(emit, seen, seen, count)
        squares.write(row_of)
        squares.read(write)

    return gather


def back(made: int, kernel_size: int, add: bool | None) -> Any:
    """Return what transforms the products of F(made, kernel) into results.

    Parameters
    ----------
    made
        Results of a tile along an axis.
    kernel_size
        Extent of the filters.
    add
        None: of a forward pass; else of a backward one, and whether to add to the
        gradient that is there.
    """
    matrix, seen = matrices(made, kernel_size).back, made + kernel_size - 1

    @kernel(9)
    def scatter(
        emit: Emitter,
        products: Any,
        count: Any,
        plane: Any,
        table: Any,
        bits: Any,
        offset: Any,
        ahead: Any,
        bias: Any,
        floor: Any,
    ) -> None:
        """Read a tile's products and write its results, some vectors of channels.

        Parameters are the address of the first product, how many vectors, the bytes
        from the first product to the next plane, the table of the addresses that the
        tile writes, that of the addresses of their bits, the offset of the channels in
        bytes, the bytes to what the next tile writes, and see `results`.
        """
        wide, word = 4 * emit.lanes, emit.word(0).type
        beyond = emit.times(count, wide)

        def row_of(row: Any, vector: Any) -> list[Any]:
            first = emit.builder.mul(plane, emit.times(row, seen))
            here = emit.plus(emit.plus(products, first), emit.times(vector, wide))
            places = [emit.plus(here, emit.times(plane, j)) for j in range(seen)]
            tile = [emit.load(place) for place in places]
            for place in places:
                emit.fetch(emit.plus(place, beyond))
            return _by_sign(emit, matrix, tile)

        def write(column: Any, vector: Any, values: list[Any]) -> None:
            here = emit.times(vector, wide)
            there = emit.plus(offset, here)
            shift = emit.builder.lshr(there, emit.word(5))
            for i, value in enumerate(_by_sign(emit, matrix, values)):
                entry = emit.plus(emit.times(column, 8), 8 * i * made)
                target = emit.plus(emit.load(emit.plus(table, entry), word), there)
                signs = emit.plus(emit.load(emit.plus(bits, entry), word), shift)
                emit.fetch(emit.plus(target, ahead), to_write=True)
                if add is None:
                    own = emit.plus(bias, here)
                    forward(emit, value, target, signs, own, floor)
                else:
                    backward(emit, value, target, signs, add)

        squares = _Squares(emit, seen, made, count)
        squares.write(row_of)
        squares.read(write)

    return scatter


def by_parity(emit: Emitter, matrix: Matrix, vectors: Sequence[Any]) -> list[Any]:
    """Apply a matrix; rows of opposite points share sums over even and odd columns."""
    known: dict[tuple[tuple[int, float], ...], Any] = {}

    def part(row: Sequence[float], first: int) -> list[tuple[float, Any]]:
        terms = [(i, row[i]) for i in range(first, len(row), 2) if row[i]]
        if not terms:
            return []
        factors = [factor for _, factor in terms]
        # A sum with a factor of one in it takes an operation less.
        lead = 1.0 if 1 in factors else factors[-1]
        key = tuple((i, factor / lead) for i, factor in terms)
        if key not in known:
            known[key] = weighted(emit, [(f, vectors[i]) for i, f in key])
        return [(lead, known[key])]

    return [weighted(emit, [*part(row, 0), *part(row, 1)]) for row in matrix]


def _by_sign(emit: Emitter, matrix: Matrix, vectors: Sequence[Any]) -> list[Any]:
    """Apply a matrix whose columns but the first and last are of opposite points."""
    last = len(vectors) - 1
    pairs = [(i, i + 1) for i in range(1, last, 2) if i + 1 < last]
    sums = {i: emit.add(vectors[i], vectors[j]) for i, j in pairs}
    differences = {i: emit.subtract(vectors[i], vectors[j]) for i, j in pairs}
    alone = {0, *range(2 * len(pairs) + 1, last + 1)}
    found = []
    for row in matrix:
        terms = [(row[i], vectors[i]) for i in sorted(alone)]
        for i, j in pairs:
            same = sums if row[i] == row[j] else differences
            terms.append((row[i], same[i]))
        found.append(weighted(emit, [(f, v) for f, v in terms if f]))
    return found


def weighted(emit: Emitter, terms: Sequence[tuple[float, Any]]) -> Any:
    """Return a sum of multiples: those by one come first, as they need no product."""
    total = None
    for factor, vector in sorted(terms, key=lambda term: term[0] != 1):
        if total is None:
            total = emit.scale(vector, factor)
        elif factor in (1, -1):
            total = (emit.add if factor == 1 else emit.subtract)(total, vector)
        else:
            total = emit.multiply_add(vector, emit.constant(factor), total)
    return total
