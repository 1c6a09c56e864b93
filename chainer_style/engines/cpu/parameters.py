"""A network's filters and biases as the kernels read them, each made once."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style import memory
from chainer_style.engines.cpu import choice, filters, packing
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv
from chainer_style.weights import Arrays

Array = npt.NDArray[Any]

CHANNELS = 4096
"""Most channels of a feature map."""


class Parameters:
    """Filters and biases: what they will be at once, themselves when asked for.

    Parameters
    ----------
    network
        Whose they are.
    height, width
        Of the picture for which the best ways to convolve are chosen.
    half
        Whether to multiply in bfloat16 where that pays.
    tiles
        In place of those that `choice.tiles` finds.
    """

    def __init__(
        self,
        network: Network,
        height: int,
        width: int,
        half: bool = False,
        tiles: Mapping[tuple[str, bool], int] | None = None,
    ) -> None:
        self._network = network
        self._shapes = network.shapes(height, width)
        self._half = half
        self._tiles = tiles or choice.tiles(network, height, width, half)
        self._ways: dict[str, tuple[Conv, filters.Way]] = {}
        self._arrays: dict[str, Array] = {
            "zeros": np.zeros(CHANNELS, np.float32),
            "ones": np.full(CHANNELS // 8, 255, np.uint8),
            "no floor": np.full(CHANNELS // 64, -np.inf, np.float32),
        }

    def bias(self, node: Conv) -> str:
        """Return the name of a convolution's bias."""
        return f"bias {node.name}"

    def filters(self, node: Conv, backward: bool) -> tuple[str, filters.Way]:
        """Return the name of a convolution's filters, and how they are applied.

        Parameters
        ----------
        node
            The convolution.
        backward
            Whether they are to carry gradients back.
        """
        source = node.inputs[0]
        inputs = self._shapes[source].channels
        made = self._tiles[node.name, backward]
        ends = self._shapes[source], self._shapes[node.name]
        direct = not made and choice.is_direct(node, *ends)
        name = f"filters {node.name}{' back' * (backward and not direct)}"
        if name not in self._ways and direct:
            sides = inputs, node.channels
            self._ways[name] = node, filters.Direct(node.kernel, node.pad, *sides)
        elif name not in self._ways:
            read, written = ends[::-1] if backward else ends
            fresh = choice.is_fresh(
                made, read.channels, written, self._half, node.kernel
            )
            raw = source == INPUT
            found = filters.way(node, inputs, raw, backward, made, self._half, fresh)
            self._ways[name] = node, found
        return name, self._ways[name][1]

    @property
    def size(self) -> int:
        """Bytes of all filters that were asked for."""
        return sum(way.nbytes for _, way in self._ways.values())

    def make(self, arrays: Arrays) -> dict[str, int]:
        """Make what was asked for and is not there, and return all addresses.

        Parameters
        ----------
        arrays
            Layer name -> ``W``/``b`` -> array.
        """
        missing = {n: w for n, w in self._ways.items() if n not in self._arrays}
        places = [0, *accumulate(_lines(way.nbytes) for _, way in missing.values())]
        room = memory.zeros(places[-1])
        for (name, (node, way)), start in zip(missing.items(), places, strict=False):
            own = arrays[node.name]
            place = room[start : start + way.nbytes]
            self._arrays[name] = way.pack(own["W"], place)
            memory.trim()  # of what packing needed
            if self.bias(node) not in self._arrays:
                self._arrays[self.bias(node)] = packing.bias(own["b"])
        return {name: array.ctypes.data for name, array in self._arrays.items()}


def _lines(size: int) -> int:
    """Return bytes, rounded up to lines of the cache."""
    return -(-size // memory.LINE) * memory.LINE
