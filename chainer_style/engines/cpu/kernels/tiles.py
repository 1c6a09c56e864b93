"""Winograd's transforms of tiles, a vector of channels at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainer_style.engines.cpu.kernels.matrices import Matrices, Matrix, matrices
from chainer_style.engines.cpu.kernels.results import backward, forward
from chainer_style.engines.cpu.kernels.vectors import Emitter, kernel


def into(
    made: int,
    kernel_size: int = 3,
    half: bool = False,
    use: Callable[[int, int], Matrices] = matrices,
) -> Any:
    """Return what transforms the input of F(made, kernel), a vector of channels.

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

    @kernel(5)
    def gather(
        emit: Emitter, table: Any, offset: Any, out: Any, plane: Any, ahead: Any
    ) -> None:
        """Read a tile and write its transform.

        Parameters are the table of the addresses that the tile reads, the offset of
        the channels in bytes, the address of the first result, the bytes from there
        to the next, and the bytes to what the next tile reads.
        """
        rows = []
        for i in range(seen):
            places = [emit.plus(table, 8 * (i * seen + j)) for j in range(seen)]
            addresses = [emit.load(place, emit.word(0).type) for place in places]
            addresses = [emit.plus(address, offset) for address in addresses]
            tile = [emit.load(address) for address in addresses]
            for address in addresses[kernel_size - 1 :]:
                emit.fetch(emit.plus(address, ahead))
            rows.append(by_parity(emit, matrix, tile))
        for j in range(seen):
            column = by_parity(emit, matrix, [row[j] for row in rows])
            for i, value in enumerate(column):
                value = emit.halves(value) if half else value
                emit.store(value, emit.plus(out, emit.times(plane, i * seen + j)))

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

    @kernel(8)
    def scatter(
        emit: Emitter,
        products: Any,
        plane: Any,
        table: Any,
        bits: Any,
        offset: Any,
        ahead: Any,
        bias: Any,
        floor: Any,
    ) -> None:
        """Read a tile's products and write its results.

        Parameters are the address of the first product and the bytes to the next, the
        table of the addresses that the tile writes, that of the addresses of their
        bits, the offset of the channels in bytes, the bytes to what the next tile
        writes, and see `results`.
        """
        rows = []
        for i in range(seen):
            planes = [emit.times(plane, i * seen + j) for j in range(seen)]
            places = [emit.plus(products, plane) for plane in planes]
            tile = [emit.load(place) for place in places]
            for place in places:
                emit.fetch(emit.plus(place, 4 * emit.lanes))
            rows.append(_by_sign(emit, matrix, tile))
        word = emit.word(0).type
        for j in range(made):
            column = _by_sign(emit, matrix, [row[j] for row in rows])
            for i, value in enumerate(column):
                place = 8 * (i * made + j)
                target = emit.plus(emit.load(emit.plus(table, place), word), offset)
                shift = emit.builder.lshr(offset, emit.word(5))
                signs = emit.plus(emit.load(emit.plus(bits, place), word), shift)
                emit.fetch(emit.plus(target, ahead), to_write=True)
                if add is None:
                    forward(emit, value, target, signs, bias, floor)
                else:
                    backward(emit, value, target, signs, add)

    return scatter


def by_parity(emit: Emitter, matrix: Matrix, vectors: Sequence[Any]) -> list[Any]:
    """Apply a matrix; rows of opposite points share sums over even and odd columns."""
    known: dict[tuple[tuple[int, float], ...], Any] = {}

    def part(row: Sequence[float], first: int) -> tuple[Any, int]:
        terms = [(i, row[i]) for i in range(first, len(row), 2) if row[i]]
        if not terms:
            return None, 1
        sign = 1 if terms[0][1] > 0 else -1
        key = tuple((i, sign * factor) for i, factor in terms)
        if key not in known:
            known[key] = weighted(emit, [(f, vectors[i]) for i, f in key])
        return known[key], sign

    return [_joined(emit, part(row, 0), part(row, 1)) for row in matrix]


def _joined(emit: Emitter, one: tuple[Any, int], other: tuple[Any, int]) -> Any:
    """Return the sum of two values, each of which has a sign or is not there."""
    (a, plus), (b, minus) = one, other
    if a is None or b is None:
        value, sign = other if a is None else one
        return value if sign > 0 else emit.subtract(emit.constant(0), value)
    if plus > 0:
        return emit.add(a, b) if minus > 0 else emit.subtract(a, b)
    if minus > 0:
        return emit.subtract(b, a)
    return emit.subtract(emit.constant(0), emit.add(a, b))


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
    """Return a sum of multiples."""
    total = None
    for factor, vector in terms:
        scaled = emit.scale(vector, factor)
        total = scaled if total is None else emit.add(total, scaled)
    return total
