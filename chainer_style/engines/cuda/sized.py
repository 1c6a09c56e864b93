"""A network for pictures of one size, and what steps there are for it."""

from __future__ import annotations

from collections.abc import Mapping

from chainer_style.engines.cuda.areas import Areas
from chainer_style.engines.cuda.first import First
from chainer_style.engines.cuda.maps import Maps
from chainer_style.engines.cuda.nodes import Layers
from chainer_style.engines.cuda.onepass import OnePass
from chainer_style.engines.cuda.steps import Units
from chainer_style.networks import Network
from chainer_style.networks.nodes import Node, Pool
from chainer_style.networks.regions import Region


class Sized:
    """What the drafts of a network are made with.

    Parameters
    ----------
    network
        Up to its taps.
    height, width
        Of the picture.
    width_of_feature
        Bytes of a feature.
    units
        What kernels may multiply with.
    own
        Of a tile: by tap, the positions that are its own, of which there are losses;
        taps of which it has none are left out. None: the picture is whole.

    Attributes
    ----------
    network
        The same.
    taps
        The nodes of which there are losses.
    shapes
        Of the outputs, by node.
    layers, one, first
        Steps of single nodes, and of several.
    maps
        Where the nodes' outputs lie.
    areas
        The positions of which there are losses.
    """

    def __init__(
        self,
        network: Network,
        height: int,
        width: int,
        width_of_feature: int,
        *,
        units: Units = Units.NONE,
        own: Mapping[str, Region] | None = None,
    ) -> None:
        self.network = network
        self.taps = [tap.node for tap in network.taps if own is None or tap.node in own]
        self.shapes = network.shapes(height, width)
        self.layers = Layers(self.shapes, width_of_feature)
        self.one = OnePass(self.layers, units)
        self.first = First(network, self.layers, units)
        self.maps = Maps(network, self.layers)
        self.areas = Areas(self.layers, self.maps, own)

    def tapped(self, node: str) -> list[str]:
        """Return the taps that share the map of a node."""
        where = self.maps.where[node]
        return [tap for tap in self.taps if self.maps.where[tap] == where]

    def pooled_tap(self, node: Node) -> str | None:
        """Return the tap whose Gram matrix the step of a pooling gives, too."""
        if not isinstance(node, Pool) or not self.one.has_gram(node):
            return None
        taps = self.tapped(node.inputs[0])
        return taps[0] if len(taps) == 1 else None

    def is_masked(self, node: str) -> bool:
        """Whether gradients of a node's map are to be masked, for a ReLU in it.

        What carries back the gradient of the first convolution does that itself.
        """
        first, maps = self.first.node, self.maps
        own = first is not None and maps.where[node] == maps.where[first.name]
        return maps.where[node] in maps.fused.values() and not own

    def begins_early(self, node: str) -> bool:
        """Whether the only one who reads a map adds to gradients of its losses.

        A pooling does, and masks the sum: nobody goes through all of it once more.
        """
        readers = self.maps.reading(node)
        return len(readers) == 1 and isinstance(readers[0], Pool)

    def in_one_pass(self, node: str) -> bool:
        """Whether a kernel gives all of the gradient of a map that a pooling reads."""
        if len(self.tapped(node)) != 1 or not self.begins_early(node):
            return False
        (pool,) = self.maps.reading(node)
        return isinstance(pool, Pool) and self.one.has_tapped(pool)

    def second(self) -> Node | None:
        """Return the convolution whose gradient goes back to the picture at once.

        It alone reads the first one, and there are kernels for both. What TF32 does not
        hold they cut off, and so its gradient has to come rounded: in one pass.
        """
        first = self.first.node
        if first is None or self.tapped(first.name):
            return None
        readers = self.maps.reading(first.name)
        if len(readers) != 1 or not self.first.is_grouped(readers[0]):
            return None
        return readers[0] if self.in_one_pass(readers[0].name) else None
