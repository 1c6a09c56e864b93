"""The positions of tapped maps of which there are losses: all, or a tile's own."""

from __future__ import annotations

from collections.abc import Mapping

from chainer_style.engines.cuda.draft import Draft
from chainer_style.engines.cuda.maps import Maps
from chainer_style.engines.cuda.nodes import UNIT, Layers
from chainer_style.networks.regions import Region


class Areas:
    """Where they are, and steps that take them out of a map and put them back.

    Parameters
    ----------
    layers
        Steps of a network's nodes.
    maps
        Where the nodes' outputs lie.
    own
        By tap, the positions that count; None: all of all taps.
    """

    def __init__(
        self, layers: Layers, maps: Maps, own: Mapping[str, Region] | None
    ) -> None:
        self._layers, self._maps, self._own = layers, maps, own

    def region(self, tap: str) -> Region:
        """Return the positions that count."""
        return self._own[tap] if self._own else Region.of(self._layers.shape(tap))

    def positions(self, tap: str) -> int:
        """Return how many they are."""
        region = self.region(tap)
        return region.height * region.width

    def size(self, tap: str) -> int:
        """Return the bytes of their features."""
        layers = self._layers
        return layers.bytes * self.positions(tap) * layers.channels(tap)

    def is_whole(self, tap: str) -> bool:
        """Whether all positions count."""
        return self.region(tap) == Region.of(self._layers.shape(tap))

    def features(self, tap: str) -> str:
        """Return the buffer that their features lie in, one after the other."""
        return self._maps.map(tap) if self.is_whole(tap) else f"own {tap}"

    def take(self, draft: Draft, tap: str) -> str:
        """Draft that their features are taken out of the map; return the buffer."""
        x, y = self._maps.map(tap), self.features(tap)
        if x != y:
            layers, region = self._layers, self.region(tap)
            draft.buffer(y, self.size(tap))
            extents = (layers.shape(tap).width, layers.channels(tap), *region)
            count = self.positions(tap) * layers.channels(tap)
            draft.launch("take", (x, y, *extents), count // UNIT)
        return y

    def give(self, draft: Draft, tap: str, part: str, adding: bool) -> None:
        """Draft that a gradient of theirs goes into that of the map.

        Parameters
        ----------
        draft
            Of the program.
        tap
            Whose.
        part
            Their gradient.
        adding
            Whether it is added to what is there; else all around is set to zero.
        """
        layers, shape = self._layers, self._layers.shape(tap)
        extents = (shape.height, shape.width, layers.channels(tap))
        given = (part, self._maps.gradient(tap), *extents, *self.region(tap))
        draft.launch("give", (*given, int(adding)), layers.count(tap) // UNIT)
