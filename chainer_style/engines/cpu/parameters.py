"""A network's filters and biases as the kernels read them, made when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.engines.cpu import choice, filters
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv
from chainer_style.weights import Arrays

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Filters:
    """The filters of one convolution, in one direction.

    Attributes
    ----------
    name
        Of the array in `Parameters.addresses`.
    made
        Results of a Winograd tile along an axis; 0: none is made.
    pad
        Zeros around what is read.
    windows
        The geometry, if they are windows; without it and tiles, see
        `kernels.gather`.
    kernel
        Height and width of the filters.
    panels
        That the results fill.
    """

    name: str
    made: int
    pad: int
    windows: filters.Windows | None = None
    kernel: int = 3
    panels: int = 0


class Parameters:
    """Filters and biases, each made once.

    Parameters
    ----------
    network
        Whose they are.
    arrays
        Layer name -> ``W``/``b`` -> array.
    height, width
        Of the picture for which the best ways to convolve are chosen.
    """

    def __init__(
        self, network: Network, arrays: Arrays, height: int, width: int
    ) -> None:
        self._arrays = arrays
        self._tiles = choice.tiles(network, height, width)
        self._made: dict[tuple[str, bool], Filters] = {}
        self._kept: dict[str, Array] = {}
        self.keep("zeros", np.zeros(4096, np.float32))
        self.keep("ones", np.full(4096, 255, np.uint8))
        self.keep("no floor", np.full(64, -np.inf, np.float32))

    def keep(self, name: str, array: Array) -> str:
        """Keep an array, and return its name."""
        self._kept[name] = array
        return name

    @property
    def addresses(self) -> dict[str, int]:
        """Address of each array, by name."""
        return {name: array.ctypes.data for name, array in self._kept.items()}

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self._kept.values())

    def bias(self, node: Conv) -> str:
        """Return the name of a convolution's bias."""
        name = f"bias {node.name}"
        if name not in self._kept:
            self.keep(name, filters.bias(self._arrays[node.name]["b"]))
        return name

    def filters(self, node: Conv, backward: bool) -> Filters:
        """Return a convolution's filters, or those that carry gradients back."""
        key = node.name, backward
        if key not in self._made:
            self._made[key] = self._make(node, backward, self._tiles[key])
        return self._made[key]

    def _make(self, node: Conv, backward: bool, made: int) -> Filters:
        array = self._arrays[node.name]["W"]
        name = f"filters {node.name}{' back' * backward}"
        if made:
            turned = filters.turned(array) if backward else array
            pad = 2 - node.pad if backward else node.pad
            self.keep(name, filters.transformed(turned, made))
            return Filters(name, made, pad)
        if backward and node.inputs[0] == INPUT and node.stride == node.groups == 1:
            panels = filters.gathered(array)
            self.keep(name, panels)
            return Filters(name, 0, node.pad, kernel=node.kernel, panels=len(panels))
        make = filters.backward if backward else filters.forward
        found = make(array, node, raw=node.inputs[0] == INPUT)
        self.keep(name, found.panels)
        return Filters(name, 0, found.pad, found)
