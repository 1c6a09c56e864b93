"""Arrays that are allocated once: working space, and gradients by lifetime."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Scratch:
    """Working space that every operation uses in turn.

    What an operation puts there is lost as soon as another one runs. The space
    grows while a plan is made, and never afterwards.

    Parameters
    ----------
    dtype
        Of the arrays.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._sizes: dict[str, int] = {}
        self._space: dict[str, Array] = {}

    def reserve(self, place: str, shape: Sequence[int]) -> None:
        """Say that an array of a shape will be asked for in a place."""
        self._sizes[place] = max(self._sizes.get(place, 0), math.prod(shape))

    def array(
        self, place: str, shape: Sequence[int], dtype: np.dtype[Any] | None = None
    ) -> Array:
        """Return the array; its content is whatever was left there.

        Parameters
        ----------
        place, shape
            As they were reserved.
        dtype
            If it is not that of the space: one whose numbers take no more bytes.
        """
        size = self._sizes[place]
        if place not in self._space or len(self._space[place]) < size:
            self._space[place] = np.empty(size, self._dtype)
        space = self._space[place]
        if dtype is not None:
            space = space.view(dtype)
        return space[: math.prod(shape)].reshape(shape)


def share(
    lifetimes: Mapping[str, tuple[int, int]],
    shapes: Mapping[str, Sequence[int]],
    dtype: np.dtype[Any],
) -> dict[str, Array]:
    """Return arrays of which those that never live at once share their memory.

    Parameters
    ----------
    lifetimes
        First and last moment at which an array is needed, by name.
    shapes
        Its shape, by name.
    dtype
        Of all arrays.
    """
    slabs: list[tuple[int, list[str]]] = []
    # Large ones first: what is smaller fits beside them in time.
    names = sorted(lifetimes, key=lambda name: (-math.prod(shapes[name]), name))
    for name in names:
        for _, tenants in slabs:
            if not any(_meet(lifetimes[name], lifetimes[t]) for t in tenants):
                tenants.append(name)
                break
        else:
            slabs.append((math.prod(shapes[name]), [name]))
    found: dict[str, Array] = {}
    for size, tenants in slabs:
        memory = np.empty(size, dtype)
        for name in tenants:
            found[name] = memory[: math.prod(shapes[name])].reshape(shapes[name])
    return found


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def nbytes(arrays: Iterable[Array]) -> int:
    """Return the bytes of some arrays, shared memory once."""
    bases = {id(a if a.base is None else a.base): a for a in arrays}
    return sum((a if a.base is None else a.base).nbytes for a in bases.values())
