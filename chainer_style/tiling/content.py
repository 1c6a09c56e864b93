"""The content picture's features, tile by tile: in memory, or in a file."""

from __future__ import annotations

import contextlib
import math
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Content:
    """Keeps features in memory."""

    def __init__(self) -> None:
        self._arrays: dict[int, dict[str, Array]] = {}

    def keep(self, tile: int, node: str, features: Array) -> None:
        """Keep a copy of a tile's own features at a tap."""
        self._arrays.setdefault(tile, {})[node] = features.copy()

    @contextlib.contextmanager
    def of(self, tile: int) -> Iterator[Mapping[str, Array]]:
        """Give a tile's features, by tap; for as long as the context lasts."""
        yield self._arrays.get(tile, {})


class ContentOnDisk(Content):
    """Keeps features in a file that ends with it, for pictures that need the memory.

    Plain reads, not a map of the file: what is mapped counts as the process' own.
    """

    def __init__(self) -> None:
        super().__init__()
        # It has no name, and its room on the disk ends with it.
        self._file = tempfile.TemporaryFile(  # noqa: SIM115 - open as long as this is
            prefix="chainer-style-", buffering=0
        )
        weakref.finalize(self, self._file.close)
        self._places: dict[int, dict[str, tuple[int, Any, tuple[int, ...]]]] = {}

    def keep(self, tile: int, node: str, features: Array) -> None:
        """Write a tile's own features at a tap."""
        start = self._file.seek(0, 2)
        data = np.ascontiguousarray(features).data.cast("B")
        while data:
            data = data[self._file.write(data) :]
        place = start, features.dtype, features.shape
        self._places.setdefault(tile, {})[node] = place

    @contextlib.contextmanager
    def of(self, tile: int) -> Iterator[Mapping[str, Array]]:
        """Read a tile's features (see `Content`)."""
        yield {
            node: self._read(*place)
            for node, place in self._places.get(tile, {}).items()
        }

    def _read(self, start: int, dtype: Any, shape: tuple[int, ...]) -> Array:
        self._file.seek(start)
        found = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
        view = found.data
        while view:
            count = self._file.readinto(view)
            if not count:
                raise OSError("the file of the content's features ends too early")
            view = view[count:]
        features: Array = found.view(dtype).reshape(shape)
        return features
