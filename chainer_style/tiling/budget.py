"""How a picture is cut so that all of it stays within some memory.

Everything is counted on drafts, before anything is allocated.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace

from chainer_style.engines.cpu.costs import Cost, cost
from chainer_style.engines.cpu.draft import FLOAT, Draft, Map
from chainer_style.engines.cpu.parameters import Parameters
from chainer_style.errors import UserError
from chainer_style.networks import Network
from chainer_style.protocols import Protocol
from chainer_style.report import formats
from chainer_style.tiling.drafts import TileDrafts
from chainer_style.tiling.grid import Grid, Tile
from chainer_style.tiling.kernels import drafted, kept_bytes

SAVED = 4
"""Pictures of bytes that saving a snapshot takes: planes in float32, and the file's."""

FLOPS, BANDWIDTH = 60e9, 10e9
"""Of a core, roughly: they decide between ways to cut, and tell no time."""

MOST, LEAST = 4096, 256
"""Pixels of a tile: more gain nothing, of fewer margins are the larger part."""


@dataclass(frozen=True)
class Layout:
    """A way to cut a picture.

    Attributes
    ----------
    side
        Pixels of a tile; see `Grid`.
    again
        How many taps' features the way back computes anew; see `TileDrafts`.
    on_disk
        Whether the content's features are in a file.
    """

    side: int
    again: int
    on_disk: bool


@dataclass(frozen=True)
class Extents:
    """How large a transfer's pictures are.

    Attributes
    ----------
    content, style
        Height and width.
    rows
        First row, and first row behind, of the part that is computed; None: all.
    """

    content: tuple[int, int]
    style: tuple[int, int]
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Estimate:
    """Bytes that a layout takes while it runs.

    Attributes
    ----------
    pictures
        The picture, its gradient, Adam's moments, and a snapshot that is saved.
    filters
        As the kernels read them, both ways.
    content
        The content's features, those of one tile if they are in a file.
    kept
        Signs and features between a tile's ways forth and back.
    room
        Feature maps and gradients of one tile, and the threads' space.
    matrices
        Gram matrices, and what they are off by.
    """

    pictures: int
    filters: int
    content: int
    kept: int
    room: int
    matrices: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(astuple(self))


class Cut:
    """A transfer cut by a layout, as drafts.

    Parameters
    ----------
    network, protocol
        What is computed.
    extents
        Of its pictures.
    layout
        How it is cut.
    threads
        Of the CPU.
    half
        Whether products are bfloat16's.
    """

    def __init__(
        self,
        network: Network,
        protocol: Protocol,
        extents: Extents,
        layout: Layout,
        threads: int,
        half: bool = False,
    ) -> None:
        self.layout, self._extents, self._threads = layout, extents, threads
        self.grid = Grid(network, *extents.content, layout.side, extents.rows)
        self._style = Grid(network, *extents.style, layout.side)
        self.parameters = parameters_for(self.grid, half)
        self.scales = {tap.node: 1.0 for tap in network.taps if tap.content}
        counted = self.scales
        if protocol.relative_losses:
            counted = {tap.node: 1.0 for tap in network.taps}
        self._counted = counted
        self.drafts = self._drafted(self.grid, layout.again)

    def _drafted(self, grid: Grid, again: int) -> list[tuple[TileDrafts, int]]:
        """Return the drafts of each geometry, and how many tiles have it."""
        counts: dict[object, int] = {}
        for tile in grid.tiles:
            counts[tile.geometry] = counts.get(tile.geometry, 0) + 1
        made = drafted(grid, self.parameters, self._threads, self.scales, again)
        return [(drafts, counts[geometry]) for geometry, drafts in made.items()]

    @property
    def words(self) -> str:
        """What there is to say of it in a line."""
        count, layout = len(self.grid.tiles), self.layout
        kept = [tap.node for tap in self.grid.network.taps][layout.again :]
        plural = "s" * (count != 1)
        return (
            f"{count} tile{plural} of {layout.side} px, about "
            f"{formats.gibibytes(self.total)} of memory beside what the program takes; "
            + (f"kept between both passes: {', '.join(kept)}" if kept else "")
            + ("computed anew in the second pass: all" if not kept else "")
            + ("; content features on disk" if layout.on_disk else "")
        )

    # -- memory -----------------------------------------------------------

    @functools.cached_property
    def running(self) -> Estimate:
        """What the loop takes."""
        height, width = self._extents.content
        if self._extents.rows:
            windows = [tile.window for tile in self.grid.tiles]
            height = windows[-1].bottom - windows[0].top
        numbers = height * width * self.grid.network.channels
        return Estimate(
            pictures=numbers * (4 * FLOAT + SAVED),
            filters=self.parameters.size,
            content=self._content(self.layout.on_disk),
            kept=sum(kept_bytes(drafts) * count for drafts, count in self.drafts),
            room=self._room(self.drafts) + self._window(self.grid),
            matrices=self._matrices(),
        )

    @functools.cached_property
    def setting_up(self) -> int:
        """Bytes that computing the targets takes, the pictures' own included."""
        channels = self.grid.network.channels
        content, style = (
            h * w * channels * FLOAT
            for h, w in (self._extents.content, self._extents.style)
        )
        filters = self.parameters.size + self._matrices()
        given = 2 * content + style + filters
        found = []
        for grid, picture in ((self._style, style), (self.grid, content)):
            drafts = self._drafted(grid, 0)
            kept = max(kept_bytes(one) for one, _ in drafts)
            found.append(picture + kept + self._room(drafts) + self._window(grid))
        features = self._content(self.layout.on_disk)
        # Then the loop's picture and room, while those given are still there.
        loop = content + self._room(self.drafts) + features
        return given + max(found[0], found[1] + features, loop)

    @property
    def total(self) -> int:
        """Bytes at most."""
        return max(self.running.total, self.setting_up)

    def _content(self, on_disk: bool) -> int:
        sizes = [
            sum(drafts.maps[node].size for node in self.scales.keys() & drafts.maps)
            for drafts, _ in self.drafts
        ]
        if on_disk:
            return max(sizes)
        counts = (count for _, count in self.drafts)
        return sum(size * count for size, count in zip(sizes, counts, strict=True))

    def _room(self, drafts: list[tuple[TileDrafts, int]]) -> int:
        made: list[Draft] = [draft for one, _ in drafts for draft in one.drafts]
        size = max(draft.arrange().size for draft in made)
        return size + max(draft.space for draft in made) * self._threads

    def _window(self, grid: Grid) -> int:
        areas = (tile.window.height * tile.window.width for tile in grid.tiles)
        return max(areas) * grid.network.channels * FLOAT

    def _matrices(self) -> int:
        sides = [
            Map.of(self.grid.shapes[tap.node]).channels
            for tap in self.grid.network.taps
        ]
        # Sums, targets and differences in double precision, packed errors, and what
        # the sums of a tile are copied to.
        return sum(side**2 for side in sides) * (3 * 2 + 4) * FLOAT

    # -- time -------------------------------------------------------------

    @functools.cached_property
    def floors(self) -> list[tuple[Tile, int, float]]:
        """A tile of each geometry, how many there are, and roughly its seconds."""
        return [
            (drafts.tile, count, sum(map(_floor, drafts.drafts)))
            for drafts, count in self.drafts
        ]

    @property
    def seconds(self) -> float:
        """Of an iteration, roughly, with one thread."""
        return sum(count * floor for _, count, floor in self.floors)

    @property
    def flops(self) -> int:
        """Operations of an iteration."""
        return sum(
            count
            * sum(cost(line.step[0]).flops for d in drafts.drafts for line in d.lines)
            for drafts, count in self.drafts
        )


def _floor(draft: Draft) -> float:
    costs: Iterator[Cost] = (cost(line.step[0]) for line in draft.lines)
    return sum(one.floor(FLOPS, BANDWIDTH) for one in costs)


def parameters_for(grid: Grid, half: bool) -> Parameters:
    """Return filters for tiles, chosen by the size of the largest one."""
    windows = [tile.window for tile in grid.tiles]
    height = max(window.height for window in windows)
    width = max(window.width for window in windows)
    return Parameters(grid.network, height, width, half)


def choose(
    network: Network,
    protocol: Protocol,
    extents: Extents,
    memory: int,
    threads: int,
    half: bool = False,
    side: int | None = None,
    beside: int = 0,
) -> Cut:
    """Return the fastest way to cut a picture that fits into some memory.

    Parameters
    ----------
    network, protocol, extents, threads, half
        See `Cut`.
    memory
        Bytes for everything that is counted in `Estimate`.
    side
        Pixels of a tile, if they are given.
    beside
        Bytes that the process takes beside that, to be told.

    Raises
    ------
    UserError
        If it takes more, however it is cut.
    """
    step = Grid(network, *extents.content, 1).step

    def cut(layout: Layout) -> Cut:
        return Cut(network, protocol, extents, layout, threads, half)

    sides = [side] if side else _sides(max(extents.content), step)
    fitting = []
    # What is computed anew needs no memory: the less of it, the smaller the tiles.
    largest = 0
    for again in reversed(range(len(network.taps) + 1)):
        for number in range(largest, len(sides)):
            found = cut(Layout(sides[number], again, on_disk=False))
            if found.total > memory:
                found = cut(replace(found.layout, on_disk=True))
            if found.total <= memory:
                fitting.append(found)
                largest = number
                break
    if fitting:
        return min(fitting, key=lambda found: found.seconds)
    least = cut(Layout(sides[-1], len(network.taps), on_disk=True)).total
    height, width = extents.content
    raise UserError(
        f"{width}×{height} pixels take {formats.gibibytes(least + beside)} of memory "
        f"at least, the program included, and not {formats.gibibytes(memory + beside)}"
        "; give more --memory, or choose a smaller --width"
    )


def _sides(longest: int, step: int) -> list[int]:
    """Return sides of tiles to try, the largest first."""
    found: list[int] = []
    pieces = -(-longest // MOST)
    while True:
        side = -(-longest // pieces // step) * step
        if side < LEAST and found:
            return found
        found.append(max(side, step))
        if side <= max(LEAST, step):
            return found
        # By about a fifth each time.
        pieces = max(pieces + 1, round(pieces * 1.2))
