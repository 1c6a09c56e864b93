"""Memory by its address, as arrays that numba can index."""

from __future__ import annotations

from typing import Any

from numba import carray, njit, types
from numba.extending import intrinsic


def _pointer(kind: Any) -> Any:
    @intrinsic
    def pointer(typing: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            form = context.get_value_type(signature.return_type)
            return builder.inttoptr(given[0], form)

        return types.CPointer(kind)(types.int64), generate

    return pointer


_to_floats, _to_doubles = _pointer(types.float32), _pointer(types.float64)
_to_words, _to_bytes = _pointer(types.int64), _pointer(types.uint8)


@njit(nogil=True)
def floats(address: int, count: int) -> Any:
    """Return an array of float32."""
    return carray(_to_floats(address), (count,))


@njit(nogil=True)
def doubles(address: int, count: int) -> Any:
    """Return an array of float64."""
    return carray(_to_doubles(address), (count,))


@njit(nogil=True)
def words(address: int, count: int) -> Any:
    """Return an array of int64."""
    return carray(_to_words(address), (count,))


@njit(nogil=True)
def octets(address: int, count: int) -> Any:
    """Return an array of bytes."""
    return carray(_to_bytes(address), (count,))


@njit(nogil=True)
def block(step: Any, unit: int, total: int) -> tuple[int, int]:
    """Return a unit's first position, or tile, and how many it has, of all there are.

    Units of different shares have the same ones. All blocks are about as large.
    """
    index, blocks = unit // step.shares, step.units // step.shares
    first = total * index // blocks
    return first, total * (index + 1) // blocks - first
