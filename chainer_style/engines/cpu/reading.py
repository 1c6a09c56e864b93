"""A network's graph as the engine reads it: what is fused, who reads what."""

from __future__ import annotations

from dataclasses import dataclass

from chainer_style.engines.cpu.draft import Map
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Dropout, Node, Pool, ReLU


@dataclass
class Reading:
    """A network for pictures of one size.

    Attributes
    ----------
    network
        Up to its taps.
    height, width
        Of the picture.
    maps
        By node.
    taps
        The tapped nodes.
    readers
        By node, those that read its output.
    """

    network: Network
    height: int
    width: int

    def __post_init__(self) -> None:
        shapes = self.network.shapes(self.height, self.width)
        self.maps = {
            name: Map.of(shape, raw=name == INPUT) for name, shape in shapes.items()
        }
        self._same: dict[str, str] = {}
        for node in self.network.nodes:
            if isinstance(node, Dropout):
                self._same[node.name] = self.value(node.inputs[0])
        self.readers: dict[str, list[Node]] = {name: [] for name in self.maps}
        for node in self.network.nodes:
            if not isinstance(node, Dropout):
                for name in node.inputs:
                    self.readers[self.value(name)].append(node)
        self.taps = {self.value(tap.node) for tap in self.network.taps}

    def value(self, name: str) -> str:
        """Return the node whose output is that of a node: dropout is at rest."""
        return self._same.get(name, name)

    def rectifier(self, name: str) -> ReLU | None:
        """Return the ReLU that alone reads a node's output."""
        readers = self.readers[name]
        only = readers[0] if len(readers) == 1 else None
        return only if isinstance(only, ReLU) else None

    def is_fused(self, relu: ReLU) -> bool:
        """Whether the convolution before a ReLU writes the ReLU's output."""
        source = self.value(relu.inputs[0])
        conv = source != INPUT and isinstance(self.network[source], Conv)
        return conv and source not in self.taps and self.rectifier(source) is relu

    def is_virtual(self, relu: ReLU) -> bool:
        """Whether a ReLU is left to the pooling that reads it."""
        source = self.value(relu.inputs[0])
        readers = self.readers[relu.name]
        return (
            not self.is_fused(relu)
            and relu.name not in self.taps
            and source != INPUT
            and isinstance(self.network[source], Conv)
            and self.rectifier(source) is relu
            and all(isinstance(reader, Pool) for reader in readers)
        )

    def pooled(self, node: Pool) -> tuple[str, bool]:
        """Return what a pooling reads, and whether through a ReLU."""
        source = self.value(node.inputs[0])
        before = None if source == INPUT else self.network[source]
        if isinstance(before, ReLU) and self.is_virtual(before):
            return self.value(before.inputs[0]), True
        return source, False
