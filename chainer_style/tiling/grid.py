"""How a picture is cut: whose each position of each tapped map is."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Shape
from chainer_style.networks.regions import Region, needed


@dataclass(frozen=True)
class Tile:
    """A part of the picture.

    Attributes
    ----------
    number
        From 0, row by row.
    taps
        The positions of each tapped map that are its own; taps of which it has none
        are left out.
    regions
        The part of each map that these depend on; see `regions.needed`.
    network
        Up to its taps.
    strides
        Pixels from one position of a map to the next.
    """

    number: int
    taps: Mapping[str, Region]
    regions: Mapping[str, Region]
    network: Network
    strides: Mapping[str, int] = field(repr=False, compare=False)

    @property
    def window(self) -> Region:
        """The pixels that it needs, those of its margins included."""
        return self.regions[INPUT]

    @functools.cached_property
    def geometry(self) -> Hashable:
        """What tiles have in common that one program can compute."""
        parts = {**self.regions, **{f"own {n}": r for n, r in self.taps.items()}}
        return tuple(
            (
                name,
                part.height,
                part.width,
                part.top * (s := self.strides[name.removeprefix("own ")])
                - self.window.top,
                part.left * s - self.window.left,
            )
            for name, part in parts.items()
        )


@dataclass(frozen=True)
class Grid:
    """Tiles of a picture: every position of a tapped map belongs to one of them.

    Attributes
    ----------
    network
        Up to its taps.
    height, width
        Of the picture.
    side
        Of a tile's own part in pixels, or somewhat less: a picture is cut evenly, at
        multiples of `step`.
    rows
        First row, and first row behind, of the part that is cut; None: all. They are
        multiples of `step`, or the end.
    unit
        Pixels at whose multiples tiles have to begin for what computes them.
    """

    network: Network
    height: int
    width: int
    side: int
    rows: tuple[int, int] | None = None
    unit: int = 1

    @functools.cached_property
    def shapes(self) -> dict[str, Shape]:
        """Of the whole maps."""
        return self.network.shapes(self.height, self.width)

    @functools.cached_property
    def strides(self) -> dict[str, int]:
        """Pixels from one position of a map to the next."""
        names = (INPUT, *(node.name for node in self.network.nodes))
        return {name: self.network.receptive_field(name).stride for name in names}

    @property
    def step(self) -> int:
        """Pixels at whose multiples tiles begin."""
        return math.lcm(self.unit, *self.strides.values())

    @property
    def margin(self) -> int:
        """Pixels that tiles need before their own part, at most."""
        return max(
            max(
                own.top * (stride := self.strides[node]) - tile.window.top,
                own.left * stride - tile.window.left,
            )
            for tile in self.tiles
            for node, own in tile.taps.items()
        )

    @functools.cached_property
    def tiles(self) -> list[Tile]:
        """All of them, row by row; those that nothing depends on are left out."""
        found: list[Tile] = []
        for rows, columns in itertools.product(
            self._cuts(*(self.rows or (0, self.height))), self._cuts(0, self.width)
        ):
            taps = self._own(rows, columns)
            if taps:
                part, regions = self._needed(rows, columns, taps)
                found.append(Tile(len(found), taps, regions, part, self.strides))
        return found

    def _needed(
        self, rows: tuple[int, int], columns: tuple[int, int], taps: dict[str, Region]
    ) -> tuple[Network, dict[str, Region]]:
        """Return what a tile computes; see `regions.needed`.

        Rows do not depend on columns, nor these on them: both are found once.
        """
        names = tuple(taps)
        part, tall = self._band(rows, (0, self.width), names)
        _, wide = self._band((0, self.height), columns, names)
        return part, {
            name: Region(region.top, wide[name].left, region.bottom, wide[name].right)
            for name, region in tall.items()
        }

    @functools.cached_property
    def _bands(self) -> dict[Hashable, tuple[Network, dict[str, Region]]]:
        return {}

    def _band(
        self,
        rows: tuple[int, int],
        columns: tuple[int, int],
        names: tuple[str, ...],
    ) -> tuple[Network, dict[str, Region]]:
        """Return what a band across the picture needs for some taps."""
        key = rows, columns, names
        if key not in self._bands:
            own = self._own(rows, columns)
            part = self.network.upto(*names)
            taps = {name: own[name] for name in names}
            regions = needed(part, self.height, self.width, taps)
            self._bands[key] = part, regions
        return self._bands[key]

    def _cuts(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return where tiles begin and end along an axis."""
        count = max(1, math.ceil((last - first) / self.side))
        step = math.ceil((last - first) / count / self.step) * self.step
        return [(at, min(at + step, last)) for at in range(first, last, step)]

    def _own(
        self, rows: tuple[int, int], columns: tuple[int, int]
    ) -> dict[str, Region]:
        """Return the positions of tapped maps that a part of the picture owns."""
        found = {}
        for node in (tap.node for tap in self.network.taps):
            shape, stride = self.shapes[node], self.strides[node]
            top, bottom = _positions(rows, stride, self.height, shape.height)
            left, right = _positions(columns, stride, self.width, shape.width)
            region = Region(top, left, bottom, right)
            if not region.is_empty:
                found[node] = region
        return found


def _positions(
    cut: tuple[int, int], stride: int, length: int, count: int
) -> tuple[int, int]:
    start, end = cut
    return start // stride, count if end == length else min(end // stride, count)
