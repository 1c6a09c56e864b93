"""What the loop of 2016 holds in memory at most, counted on the network's graph.

Arrays alone: the interpreter, its libraries and their buffers come on top.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from chainer_style import networks
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Shape

FLOAT = 4
"""Bytes of a number in single precision."""

PICTURES = 8
"""Content, style and start; their copies; the picture's gradient, Adam's moments."""

GRADIENTS = 3
"""Gradients of a tapped layer's output at once: of content, of style, their sum."""


@dataclass(frozen=True)
class Footprint:
    """Memory of style transfer under protocol 2016 on the CPU, in numbers of 4 bytes.

    Attributes
    ----------
    network
        The part that is run, pooled as protocol 2016 does.
    size
        Side of the square picture in pixels.
    as_1_5
        Whether what Chainer 1.5 and the program held is held as well; see
        `chainer_style.engines.chainer15`.
    """

    network: Network
    size: int
    as_1_5: bool = False

    @functools.cached_property
    def _shapes(self) -> dict[str, Shape]:
        return self.network.shapes(self.size, self.size)

    def peak_bytes(self) -> int:
        """Return the most bytes held at once, in the second iteration or later.

        The last iteration's graph is held while the features of this one are
        computed. In either direction the most is held at a convolution.
        """
        convolutions = [node for node in self.network.nodes if isinstance(node, Conv)]
        backward = max(self._backward(node) for node in convolutions)
        return FLOAT * (self.steady() + self.graph() + max(self._forward(), backward))

    def steady(self) -> int:
        """Return what is held all the time: weights, targets and pictures."""
        run = _parameters(self.network)
        weights = 3 * run  # as they were read, in the links, and their gradients
        if self.as_1_5:
            weights += 2 * (_parameters(networks.get(self.network.name)) - run)
        features = [self._shapes[tap.node] for tap in self.network.taps]
        targets = sum(shape.size + shape.channels**2 for shape in features)
        return weights + targets + PICTURES * self._shapes[INPUT].size

    def graph(self) -> int:
        """Return what an iteration's graph holds after its forward pass."""
        taps = {tap.node for tap in self.network.taps}
        held = 0
        for node in self.network.nodes:
            # A convolution's output is read again only where it is tapped.
            if self.as_1_5 or node.name in taps or not isinstance(node, Conv):
                held += self._shapes[node.name].size
            if self.as_1_5 and isinstance(node, Conv):
                held += self.columns(node)
        return held

    def columns(self, node: Conv) -> int:
        """Return the size of a convolution's matrix of columns."""
        out = self._shapes[node.name]
        seen = self._shapes[node.inputs[0]].channels
        return seen * node.kernel**2 * out.height * out.width

    def _forward(self) -> int:
        """Return the most that a forward pass takes."""
        most = held = 0
        for node in self.network.nodes:
            if isinstance(node, Conv):
                columns = self.columns(node)
                most = max(most, held + columns + self._padded(node))
                held += columns if self.as_1_5 else 0
            # Every output is held until the last one is there.
            held += self._shapes[node.name].size
        return max(most, held)

    def _backward(self, node: Conv) -> int:
        """Return what going back through a convolution takes beside the graph."""
        out, seen = self._shapes[node.name], self._shapes[node.inputs[0]]
        return (
            GRADIENTS * out.size + seen.size + self.columns(node) + self._padded(node)
        )

    def _padded(self, node: Conv) -> int:
        """Return the size of a convolution's input with its padding."""
        channels, height, width = self._shapes[node.inputs[0]]
        border = 2 * node.pad + node.stride - 1
        return channels * (height + border) * (width + border)


def _parameters(network: Network) -> int:
    layers = network.parameter_shapes().values()
    return sum(math.prod(shape) for layer in layers for shape in layer.values())
