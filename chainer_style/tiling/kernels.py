"""Tiles by the compiled kernels of engine ``cpu``."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

import numpy as np

from chainer_style import memory
from chainer_style.engines.cpu.draft import Draft, Map
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.engines.cpu.losses import DOUBLE
from chainer_style.engines.cpu.parameters import Parameters
from chainer_style.engines.cpu.plan import Plan, Room
from chainer_style.engines.cpu.team import Team
from chainer_style.memory import LINE
from chainer_style.tiling import rows
from chainer_style.tiling.base import Aim, Array, Passed, Tiles
from chainer_style.tiling.drafts import TileDrafts
from chainer_style.tiling.grid import Grid, Tile
from chainer_style.weights import Arrays


class CompiledTiles(Tiles):
    """Tiles as programs of compiled kernels.

    Parameters
    ----------
    grid
        The tiles.
    weights
        Layer name -> ``W``/``b`` -> array.
    parameters
        Of the network.
    team
        The threads.
    scales
        By tap with a content loss: twice its weight over the map's numbers.
    again
        How many taps' features the way back computes anew; see `TileDrafts`.
    """

    def __init__(
        self,
        grid: Grid,
        weights: Arrays,
        parameters: Parameters,
        team: Team,
        scales: Mapping[str, float],
        again: int,
    ) -> None:
        self._team, self._grid = team, grid
        self._scales = scales
        self._drafts = drafted(grid, parameters, team.threads, scales, again)
        both = (draft for drafts in self._drafts.values() for draft in drafts.drafts)
        self._room = Room.of(team.threads, both)
        self._made = parameters.make(weights)
        largest = max(tile.window.height * tile.window.width for tile in grid.tiles)
        self._pixels = memory.zeros(largest * grid.network.channels, np.float32)
        self._errors = {
            node: memory.zeros((side // PANEL, side, PANEL), np.float32)
            for node, side in matrix_sides(grid).items()
        }
        self._totals = np.zeros(sum(side**2 for side in self.sides.values()))
        self._kept: dict[int, Array] = {}
        self._plans: dict[tuple[int, bool], tuple[Mapping[str, int], Plan]] = {}

    @property
    def sides(self) -> Mapping[str, int]:
        """The numbers of channels, filled up (see `Tiles`)."""
        return {node: len(panels[0]) for node, panels in self._errors.items()}

    def survey(self, windows: Iterable[tuple[Tile, Array]]) -> Array:
        """Return the sums of the Gram matrices (see `Tiles`).

        Below their diagonals there may be nothing.
        """
        self._totals[:] = 0
        for tile, pixels in windows:
            self._forth(tile, pixels)
        return self._totals

    def whole(self, matrix: Array) -> Array:
        """Return all of a matrix (see `Tiles`)."""
        return np.triu(matrix) + np.triu(matrix, 1).T

    def features(self, tile: Tile, pixels: Array) -> dict[str, Array]:
        """Return a tile's own features (see `Tiles`)."""
        drafts = self._of(tile)
        self._forth(tile, pixels)
        found = {}
        for node in self._scales.keys() & drafts.maps.keys():
            own = drafts.maps[node]
            shape = own.height, own.width, own.channels
            place = drafts.own(node)
            start = _places(drafts.kept)[place.buffer] + place.start
            part = self._keep(tile)[start : start + own.size]
            found[node] = part.view(np.float32).reshape(shape)
        return found

    def forget(self, tile: Tile) -> None:
        """Drop what was kept of a tile (see `Tiles`)."""
        self._kept.pop(tile.number, None)
        for back in (False, True):
            self._plans.pop((tile.number, back), None)

    def compare(self, sums: Array, aims: Mapping[str, Aim]) -> dict[str, float]:
        """Have what they are off by, packed as kernels read it (see `Tiles`)."""
        draft, addresses = Draft(), {"zeros": 0, "ones": 0}
        for node, matrix in self.matrices(sums).items():
            aim, errors = aims[node], self._errors[node]
            panels, side, _ = errors.shape
            partial = draft.buffer(f"style loss {node}", DOUBLE * panels, kept=True)
            used = {"x": matrix, "y": errors, "target": aim.style}
            names = {field: f"{field} {node}" for field in used}
            addresses |= {names[field]: used[field].ctypes.data for field in used}
            draft.add(
                node,
                "aim",
                panels,
                {**names, "partial": partial},
                space=DOUBLE * PANEL,
                channels=side,
                scale=1 / aim.size,
                second_scale=aim.style_scale,
            )
        plan = Plan(draft, self._team, addresses)
        plan.run()
        return {
            node: float(plan.sums(f"style loss {node}").sum()) for node in self._errors
        }

    def back(self, tile: Tile, pixels: Array, content: Mapping[str, Array]) -> Passed:
        """Return the gradient of a tile's losses (see `Tiles`)."""
        drafts = self._of(tile)
        named = {f"content {node}": array for node, array in content.items()}
        plan = self._plan(tile, pixels, back=True, more=named)
        plan.run()
        window = tile.window
        shape = window.height, window.width, self._grid.network.channels
        sums = {
            node: float(plan.sums(f"content loss {node}").sum())
            for node in self._scales.keys() & drafts.maps.keys()
        }
        return Passed(plan.array(drafts.gradient, shape), lambda: sums)

    def _of(self, tile: Tile) -> TileDrafts:
        return self._drafts[tile.geometry]

    def _forth(self, tile: Tile, pixels: Array) -> None:
        self._plan(tile, pixels, back=False, more={}).run()

    def _plan(
        self, tile: Tile, pixels: Array, *, back: bool, more: Mapping[str, Array]
    ) -> Plan:
        """Return a program with its addresses, and the pixels where it reads them."""
        drafts = self._of(tile)
        draft = drafts.back if back else drafts.forth
        if draft.uses("picture"):
            room = self._pixels[: pixels.size].reshape(pixels.shape)
            rows.copy(self._team, pixels, room)
        errors = {f"style error {node}": array for node, array in self._errors.items()}
        totals = self.matrices(self._totals)
        added = {f"total {node}": matrix for node, matrix in totals.items()}
        arrays = {"picture": self._pixels, **errors, **added, **more}
        addresses = {name: array.ctypes.data for name, array in arrays.items()}
        kept = self._keep(tile).ctypes.data
        addresses |= {
            name: kept + start for name, start in _places(drafts.kept).items()
        }
        key = tile.number, back
        before, plan = self._plans.get(key, ({}, None))
        if plan is None or before != addresses:
            plan = Plan(draft, self._team, {**self._made, **addresses}, self._room)
            self._plans[key] = addresses, plan
        return plan

    def _keep(self, tile: Tile) -> Array:
        """Return what is kept of a tile between the ways forth and back."""
        if tile.number not in self._kept:
            self._kept[tile.number] = memory.zeros(kept_bytes(self._of(tile)))
        return self._kept[tile.number]


def drafted(
    grid: Grid,
    parameters: Parameters,
    threads: int,
    scales: Mapping[str, float],
    again: int,
) -> dict[Hashable, TileDrafts]:
    """Return what is done for the tiles of a grid, by geometry; see `TileDrafts`."""
    different = {tile.geometry: tile for tile in grid.tiles}
    return {
        geometry: TileDrafts(grid, tile, parameters, threads, scales, again)
        for geometry, tile in different.items()
    }


def kept_bytes(drafts: TileDrafts) -> int:
    """Return the bytes that are kept of a tile of one geometry."""
    sizes = drafts.kept.values()
    return sum(-(-size // LINE) * LINE for size in sizes)


def _places(kept: Mapping[str, int]) -> dict[str, int]:
    """Return where each of some buffers lies behind the others, in bytes."""
    places, start = {}, 0
    for name, size in kept.items():
        places[name] = start
        start += -(-size // LINE) * LINE
    return places


def matrix_sides(grid: Grid) -> dict[str, int]:
    """Return the side of each tap's Gram matrix, channels that fill up included."""
    nodes: Iterable[str] = (tap.node for tap in grid.network.taps)
    return {node: Map.of(grid.shapes[node]).channels for node in nodes}
