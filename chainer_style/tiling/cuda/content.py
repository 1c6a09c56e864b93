"""The content picture's features, tile by tile, on a device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from chainer_style.engines.cuda.machine import Machine
from chainer_style.tiling.content import Array, Content


class ContentOnDevice(Content):
    """Keeps features as its kernels read them.

    Parameters
    ----------
    machine
        The device.
    """

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine
        self._places: dict[int, dict[str, int]] = {}

    def keep(self, tile: int, node: str, features: Array) -> None:
        """Copy a tile's own features there."""
        packed = self._machine.format.encode(features)
        self._places.setdefault(tile, {})[node] = self._machine.hold(packed)

    @contextlib.contextmanager
    def of(self, tile: int) -> Iterator[Mapping[str, Any]]:
        """Give the addresses of a tile's features, by tap."""
        yield self._places.get(tile, {})
