"""Tiles as programs of engine ``cuda``."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainer_style.engines.arena import Part
from chainer_style.engines.cuda.backward import Slopes
from chainer_style.engines.cuda.compiler import Compiler
from chainer_style.engines.cuda.machine import Machine, Run
from chainer_style.engines.cuda.nodes import filled
from chainer_style.engines.cuda.sized import Sized
from chainer_style.engines.cuda.steps import BLOCKS, FLOAT, Launch, Program, Units
from chainer_style.networks.regions import Region
from chainer_style.tiling.base import Aim, Array, Passed, Tiles, off_by
from chainer_style.tiling.cuda.picture import Patch
from chainer_style.tiling.cuda.windows import Windows
from chainer_style.tiling.grid import Grid, Tile


@dataclass(frozen=True)
class Programs:
    """What is done for tiles whose own positions lie alike in their windows.

    Attributes
    ----------
    sums
        Of their features' products, added to those of other tiles.
    features
        Features at taps with a content loss.
    back
        The gradient of their losses.
    """

    sums: Program
    features: Program
    back: Program

    @property
    def all(self) -> tuple[Program, ...]:
        """All of them."""
        return self.sums, self.features, self.back


class Drafts:
    """The programs of all tiles of a grid.

    Parameters
    ----------
    grid
        The tiles; they begin at multiples of `onepass.unit`.
    width
        Bytes of a feature.
    units
        What kernels may multiply with.
    scales
        By tap with a content loss, twice its weight over the map's numbers.

    Attributes
    ----------
    windows
        The tiles' windows.
    """

    def __init__(
        self, grid: Grid, width: int, units: Units, scales: Mapping[str, float]
    ) -> None:
        self.windows = Windows(grid)
        self._grid, self._width, self._units = grid, width, units
        self._scales = scales
        self._made: dict[Hashable, tuple[Compiler, Programs]] = {}

    def of(self, tile: Tile) -> Programs:
        """Return a tile's programs."""
        return self._drafted(tile)[1]

    def features(self, tile: Tile, node: str) -> str:
        """Return the buffer that a tile's own features of a tap lie in."""
        return self._drafted(tile)[0].map(node)

    @property
    def all(self) -> list[Program]:
        """Return the programs of all tiles, each once."""
        for tile in self._grid.tiles:
            self._drafted(tile)
        return [program for _, made in self._made.values() for program in made.all]

    @functools.cached_property
    def room(self) -> int:
        """Bytes of what any of these programs needs while it runs."""
        return max(program.arrange().size for program in self.all)

    def _drafted(self, tile: Tile) -> tuple[Compiler, Programs]:
        own = self.windows.own(tile)
        key = tuple(own.items())
        if key not in self._made:
            extents = *self.windows.extents, self._width
            sized = Sized(tile.network, *extents, units=self._units, own=own)
            compiler = Compiler(sized)
            content = {t: s for t, s in self._scales.items() if t in own}
            partials = {
                tap: Part("partial", FLOAT * BLOCKS * list(self._scales).index(tap))
                for tap in content
            }
            steep = {tap: slope for tap, slope in content.items() if slope}
            self._made[key] = (
                compiler,
                Programs(
                    compiler.sums(),
                    compiler.features(content),
                    compiler.gradient(Slopes(steep, 1.0, partials)),
                ),
            )
        return self._made[key]


class CudaTiles(Tiles):
    """Tiles on a GPU.

    Both ways compute features anew: they would take more memory than all the rest. A
    tile's programs are a CUDA graph each.

    Parameters
    ----------
    grid
        The tiles.
    machine
        What computes them.
    addresses
        Of the network's filters and biases.
    scales
        By tap with a content loss, twice its weight over the map's numbers.
    """

    def __init__(
        self,
        grid: Grid,
        machine: Machine,
        addresses: Mapping[str, int],
        scales: Mapping[str, float],
    ) -> None:
        self._machine, self._scales = machine, scales
        form = machine.format
        self._drafts = drafts = Drafts(grid, form.bytes, machine.units, scales)
        machine.ready(drafts.all)
        extents = drafts.windows.extents
        self._sides = {
            tap.node: filled(grid.shapes[tap.node].channels)
            for tap in grid.network.taps
        }
        pixels = FLOAT * drafts.windows.planes * extents[0] * extents[1]
        sizes = {"picture": pixels, "slope": pixels, "counter": FLOAT}
        sizes["partial"] = FLOAT * BLOCKS * max(len(scales), 1)
        sizes["arena"] = drafts.room
        for node, side in self._sides.items():
            sizes[f"gram {node}"] = FLOAT * side**2
            sizes[f"error {node}"] = form.bytes * side**2
        own = {name: machine.allocate(size) for name, size in sizes.items()}
        for address in own.values():
            weakref.finalize(self, machine.free, address).atexit = False
        self._addresses = {**addresses, **own}
        self._runs: dict[Hashable, Run] = {}
        self._clear = machine.prepared(
            Program(
                tuple(
                    Launch("clear", (f"gram {node}", side**2), side**2)
                    for node, side in self._sides.items()
                ),
                {},
            ),
            own,
        )

    @property
    def sides(self) -> Mapping[str, int]:
        """The numbers of channels, filled up (see `Tiles`)."""
        return self._sides

    def window(self, tile: Tile) -> Region:
        """Return the pixels that a tile is computed from (see `Tiles`)."""
        return self._drafts.windows.of(tile)

    def survey(self, windows: Iterable[tuple[Tile, Any]]) -> Array:
        """Return the sums of the Gram matrices (see `Tiles`): it waits just once."""
        self._clear()
        for tile, pixels in windows:
            self._show(pixels)
            self._run(tile, self._drafts.of(tile).sums, {})
        fetch, places = self._machine.fetch, self._addresses
        fetched = (
            fetch(places[f"gram {node}"], (side**2,), np.float32)
            for node, side in self._sides.items()
        )
        return np.concatenate(list(fetched), dtype=float)

    def features(self, tile: Tile, pixels: Any) -> dict[str, Array]:
        """Return a tile's own features, in single precision (see `Tiles`)."""
        machine, drafts = self._machine, self._drafts
        program = drafts.of(tile).features
        self._show(pixels)
        self._run(tile, program, {})
        places, found = program.arrange().places, {}
        for node in self._scales.keys() & tile.taps.keys():
            own = tile.taps[node]
            shape = own.height, own.width, self._sides[node]
            place = self._addresses["arena"] + places[drafts.features(tile, node)]
            packed = machine.fetch(place, shape, machine.format.dtype)
            found[node] = machine.format.decode(packed)
        return found

    def forget(self, tile: Tile) -> None:
        """Return at once: nothing is kept (see `Tiles`)."""

    def compare(self, sums: Array, aims: Mapping[str, Aim]) -> dict[str, float]:
        """Copy what they are off by to where kernels read it (see `Tiles`)."""
        errors, squares = off_by(self, sums, aims)
        for node, error in errors.items():
            packed = self._machine.format.encode(error.astype(np.float32))
            self._machine.write(self._addresses[f"error {node}"], packed)
        return squares

    def back(self, tile: Tile, pixels: Any, content: Mapping[str, Any]) -> Passed:
        """Return the gradient of a tile's losses, there (see `Tiles`).

        Parameters
        ----------
        tile, pixels
            See `Tiles`.
        content
            Addresses of the content picture's features.
        """
        self._show(pixels)
        given = {f"content {node}": address for node, address in content.items()}
        self._run(tile, self._drafts.of(tile).back, given)
        rows = len(self._scales), BLOCKS
        partial = self._machine.later(self._addresses["partial"], rows, np.float32)
        nodes = [node for node in self._scales if self._scales[node]]

        def squares() -> dict[str, float]:
            totals = partial().sum(axis=1, dtype=float)
            sums = dict(zip(self._scales, totals, strict=True))
            return {node: float(sums[node]) for node in nodes if node in tile.taps}

        return Passed(self._addresses["slope"], squares if nodes else dict)

    def _show(self, pixels: Any) -> None:
        """Have the pixels of a window where programs read them."""
        place = self._addresses["picture"]
        if isinstance(pixels, Patch):
            pixels.bring(place)
        else:
            planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)
            self._machine.write(place, planes)

    def _run(self, tile: Tile, program: Program, given: Mapping[str, int]) -> None:
        key = tile.number, id(program), *given.values()
        if key in self._runs:
            self._runs[key]()
            return
        start = self._addresses["arena"]
        places = {n: start + place for n, place in program.arrange().places.items()}
        run = self._machine.prepared(program, {**self._addresses, **places, **given})
        # To make one piece of work of it is to run it once.
        self._runs[key] = self._machine.captured(run)
