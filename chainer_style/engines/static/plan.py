"""A network as a list of operations on arrays that were allocated beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainer_style.engines.static.buffers import Array, Scratch, nbytes, share
from chainer_style.engines.static.operations import Operation, operation
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, ReLU
from chainer_style.weights import Arrays


class Plan:
    """A network for pictures of one size: forward, and backward to the picture.

    Every feature map has an array of its own, but a ReLU writes over the convolution
    that it reads unless that is tapped. Gradients share memory by lifetime. Nothing
    is allocated while it runs, but by convolutions in groups.

    Parameters
    ----------
    network
        Up to its taps.
    arrays
        Layer name -> ``W``/``b`` -> array.
    height, width
        Of the picture.
    dtype
        Of all arithmetic.

    Raises
    ------
    UserError
        If the network has a node that it does not know.
    """

    def __init__(
        self,
        network: Network,
        arrays: Arrays,
        height: int,
        width: int,
        dtype: np.dtype[Any],
    ) -> None:
        self.network = network
        self._shapes = {
            name: (s.height, s.width, s.channels)
            for name, s in network.shapes(height, width).items()
        }
        self._taps = {tap.node for tap in network.taps}
        self._scratch = Scratch(dtype)
        self._operations = self._compiled(arrays, height, width, dtype)
        self.values = self._maps(dtype)
        lifetimes = self._lifetimes()
        self._gradients = share(lifetimes, self._shapes, dtype)
        # A second gradient of the same array is made here, and added.
        self._second = Scratch(dtype)
        for name, shape in self._shapes.items():
            self._second.reserve("0", shape)
            for i, source in enumerate(() if name == INPUT else network[name].inputs):
                self._second.reserve(str(i), self._shapes[source])

    def _compiled(
        self, arrays: Arrays, height: int, width: int, dtype: np.dtype[Any]
    ) -> list[Operation]:
        shapes = self.network.shapes(height, width)
        found = []
        for node in self.network.nodes:
            inputs = [shapes[name] for name in node.inputs]
            own = arrays.get(node.name, {})
            parameters = tuple(own[name] for name in ("W", "b") if name in own)
            found.append(
                operation(
                    node, inputs, shapes[node.name], parameters, self._scratch, dtype
                )
            )
        return found

    def _maps(self, dtype: np.dtype[Any]) -> dict[str, Array]:
        """Allocate the feature maps."""
        maps = {INPUT: np.empty(self._shapes[INPUT], dtype)}
        readers = self._readers()
        for node in self.network.nodes:
            source = node.inputs[0]
            alone = source not in self._taps and readers[source] == [node.name]
            over = isinstance(node, ReLU) and isinstance(self._node(source), Conv)
            if over and alone:
                maps[node.name] = maps[source]
            else:
                maps[node.name] = np.empty(self._shapes[node.name], dtype)
        return maps

    def _node(self, name: str) -> object:
        return None if name == INPUT else self.network[name]

    def _readers(self) -> dict[str, list[str]]:
        readers: dict[str, list[str]] = {name: [] for name in self._shapes}
        for node in self.network.nodes:
            for name in node.inputs:
                readers[name].append(node.name)
        return readers

    def _lifetimes(self) -> dict[str, tuple[int, int]]:
        """Return from when to when each gradient is needed, in steps back."""
        count = len(self._operations)
        moment = {op.node.name: count - i for i, op in enumerate(self._operations)}
        moment[INPUT] = count + 1
        readers = self._readers()
        return {
            name: (
                min([moment[r] for r in readers[name]] + [moment[name]]),
                moment[name],
            )
            for name in self._shapes
        }

    @property
    def bytes(self) -> int:
        """Memory of feature maps and gradients."""
        return nbytes([*self.values.values(), *self._gradients.values()])

    def forward(self, picture: Array) -> None:
        """Compute the feature maps of a picture, (height, width, channels)."""
        np.copyto(self.values[INPUT], picture)
        for op in self._operations:
            inputs = [self.values[name] for name in op.node.inputs]
            op.forward(inputs, self.values[op.node.name])

    def backward(self, tapped: Mapping[str, Callable[[Array], None]]) -> Array:
        """Carry gradients back to the picture, after `forward`.

        Parameters
        ----------
        tapped
            By tapped node, what writes the gradient of its output.

        Returns
        -------
        numpy.ndarray
            Shape (height, width, channels); valid until the next call.
        """
        there: set[str] = set()
        for op in reversed(self._operations):
            name = op.node.name
            if name in tapped:
                self._give(name, tapped[name], there)
            if name not in there:
                continue
            gy = self._gradients[name]
            inputs = [self.values[source] for source in op.node.inputs]
            targets = [
                self._second_of(source, i)
                if source in there
                else self._gradients[source]
                for i, source in enumerate(op.node.inputs)
            ]
            op.backward(inputs, self.values[name], gy, targets)
            for source, target in zip(op.node.inputs, targets, strict=True):
                if source in there:
                    self._gradients[source] += target
                there.add(source)
        return self._gradients[INPUT]

    def _give(self, name: str, write: Callable[[Array], None], there: set[str]) -> None:
        if name in there:
            second = self._second_of(name)
            write(second)
            self._gradients[name] += second
        else:
            write(self._gradients[name])
            there.add(name)

    def _second_of(self, name: str, i: int = 0) -> Array:
        return self._second.array(str(i), self._shapes[name])
