"""Which nodes of a network have a map of their own, and which share one."""

from __future__ import annotations

from chainer_style.engines.cuda.nodes import Layers
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Dropout, Node, ReLU


class Maps:
    """Where the maps of a network lie.

    A ReLU costs no step where a convolution writes its output at once, or where its
    only readers are pooling layers, which rectify what they read.

    Parameters
    ----------
    network
        Up to its taps.
    layers
        Steps of its nodes.

    Attributes
    ----------
    where
        By node, or `INPUT`, the node after which its map is called.
    lazy
        The nodes whose map is what is in front of their ReLU.
    fused
        By convolution, the ReLU whose output it writes.
    """

    def __init__(self, network: Network, layers: Layers) -> None:
        self._network, self._layers = network, layers
        self._taps = {tap.node for tap in network.taps}
        names = (INPUT, *(node.name for node in network.nodes))
        self._readers: dict[str, list[Node]] = {name: [] for name in names}
        for node in network.nodes:
            for name in node.inputs:
                self._readers[name].append(node)
        self.where = {INPUT: INPUT}
        self.lazy: set[str] = set()
        self.fused: dict[str, str] = {}
        self._place()

    def _place(self) -> None:
        """Decide which nodes have a map of their own, and which share one."""
        for node in self._network.nodes:
            source = node.inputs[0]
            if isinstance(node, Dropout):
                self.where[node.name] = self.where[source]
                if source in self.lazy:
                    self.lazy.add(node.name)
            elif isinstance(node, ReLU) and self._is_fused(node):
                self.fused[source] = node.name
                self.where[source] = self.where[node.name] = node.name
            elif isinstance(node, ReLU) and self._is_lazy(node):
                self.lazy.add(node.name)
                self.where[node.name] = self.where[source]
            else:
                self.where[node.name] = node.name

    def _is_fused(self, node: Node) -> bool:
        source = node.inputs[0]
        alone = source != INPUT and self._readers[source] == [node]
        return (
            alone
            and source not in self._taps
            and isinstance(self._network[source], Conv)
        )

    def _is_lazy(self, node: Node) -> bool:
        readers = self._readers[node.name]
        pooled = bool(readers) and all(self._layers.rectifies(r) for r in readers)
        # A ReLU of a ReLU would be masked twice, which no step does.
        again = node.inputs[0] in self.lazy
        return pooled and not again and node.name not in self._taps

    def map(self, node: str) -> str:
        """Return the buffer that holds a node's output."""
        return f"map {self.where[node]}"

    def gradient(self, node: str) -> str:
        """Return the buffer that holds the gradient of a node's output."""
        return f"gradient {self.where[node]}"

    def shares(self, node: Node) -> bool:
        """Whether a node has no step of its own."""
        if isinstance(node, Dropout) or node.name in self.lazy:
            return True
        return isinstance(node, ReLU) and self.where[node.inputs[0]] == node.name

    def reading(self, node: str) -> list[Node]:
        """Return who reads the map of a node, through whatever shares it."""
        where = self.where[node]
        return [
            reader
            for name, place in self.where.items()
            if place == where
            for reader in self._readers[name]
            if not self.shares(reader)
        ]
