"""How a picture is cut so that all of it stays within some memory.

Everything is counted on drafts, before anything is allocated.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from chainer_style.engines.cpu.costs import Cost, cost
from chainer_style.engines.cpu.draft import FLOAT, Draft
from chainer_style.engines.cpu.footprint import Footprint
from chainer_style.engines.cpu.losses import DOUBLE
from chainer_style.engines.cpu.parameters import Parameters
from chainer_style.errors import UserError
from chainer_style.networks import Network
from chainer_style.networks.regions import Region
from chainer_style.protocols import Protocol
from chainer_style.report import formats
from chainer_style.tiling.counts import CHECKPOINT as CHECKPOINT
from chainer_style.tiling.counts import PLANES, Estimate
from chainer_style.tiling.counts import SNAPSHOT as SNAPSHOT
from chainer_style.tiling.counts import Company as Company
from chainer_style.tiling.counts import Extents as Extents
from chainer_style.tiling.counts import Layout as Layout
from chainer_style.tiling.drafts import TileDrafts
from chainer_style.tiling.grid import Grid, Tile
from chainer_style.tiling.kernels import drafted, kept_bytes, matrix_sides

FLOPS, BANDWIDTH = 60e9, 10e9
"""Of a core, roughly: they decide between ways to cut, and tell no time."""

SLOWEST = 1.9
"""Times what the whole picture would take that tiles chosen here take at most, as far
as operations and bytes tell: up to a sixth less than ``benchmarks/tiling.py`` finds."""

MOST, LEAST = 4096, 256
"""Pixels of a tile: more gain nothing, of fewer margins are the larger part."""


class Side:
    """A transfer in tiles of one size, as drafts.

    Parameters
    ----------
    network
        What is computed.
    extents
        Of its pictures.
    side
        Pixels of a tile; see `Grid`.
    threads
        Of the CPU.
    half
        Whether products are bfloat16's.
    """

    def __init__(
        self,
        network: Network,
        extents: Extents,
        side: int,
        threads: int,
        half: bool = False,
    ) -> None:
        self.extents, self.threads = extents, threads
        self.grid = Grid(network, *extents.content, side, extents.rows)
        self.style = Grid(network, *extents.style, side)
        if extents.style == extents.content and extents.rows is None:
            self.style = self.grid
        self.parameters = parameters_for(self.grid, half)
        self.scales = {tap.node: 1.0 for tap in network.taps if tap.content}
        self._drafted: dict[tuple[bool, int], list[tuple[TileDrafts, int]]] = {}

    def drafts(self, again: int, style: bool = False) -> list[tuple[TileDrafts, int]]:
        """Return the drafts of each geometry, and how many tiles have it."""
        grid = self.style if style else self.grid
        key = grid is not self.grid, again
        if key not in self._drafted:
            counts = Counter(tile.geometry for tile in grid.tiles)
            made = drafted(grid, self.parameters, self.threads, self.scales, again)
            self._drafted[key] = [(made[one], count) for one, count in counts.items()]
        return self._drafted[key]


class Cut:
    """A transfer cut by a layout.

    Parameters
    ----------
    tiles
        Of the layout's side.
    layout
        How it is cut.
    company
        What is in memory beside it.
    """

    def __init__(
        self,
        tiles: Side,
        layout: Layout,
        company: Company = Company(),  # noqa: B008 - frozen
    ) -> None:
        self.layout, self._tiles, self._company = layout, tiles, company
        self.grid, self.parameters = tiles.grid, tiles.parameters
        self.scales, self.extents = tiles.scales, tiles.extents
        self.drafts = tiles.drafts(layout.again)

    @property
    def words(self) -> str:
        """What there is to say of it in a line."""
        count, layout = len(self.grid.tiles), self.layout
        kept = [tap.node for tap in self.grid.network.taps][layout.again :]
        plural = "s" * (count != 1)
        return (
            f"{count} tile{plural} of {layout.side} px, about "
            f"{formats.mebibytes(self.total)} of memory in all; "
            + (f"kept between both passes: {', '.join(kept)}" if kept else "")
            + ("computed anew in the second pass: all" if not kept else "")
            + ("; content features on disk" if layout.on_disk else "")
        )

    # -- memory -----------------------------------------------------------

    @functools.cached_property
    def running(self) -> Estimate:
        """What the loop takes."""
        company, extents = self._company, self._tiles.extents
        windows = _windows(self.grid)
        rows = windows[-1].bottom - windows[0].top
        held = (rows if extents.rows else extents.content[0]) * extents.content[1]
        return Estimate(
            pictures=held * 4 * PLANES + _area(extents.content) * company.saved,
            filters=self.parameters.size,
            content=self._content(self.layout.on_disk),
            kept=sum(kept_bytes(drafts) * count for drafts, count in self.drafts),
            room=self._room(self.drafts) + _window(self.grid),
            matrices=self._matrices(),
            program=company.program,
        )

    @functools.cached_property
    def setting_up(self) -> int:
        """Bytes that computing the targets takes, and beginning with them."""
        tiles, company = self._tiles, self._company
        content, style = (
            _area(extent) * PLANES
            for extent in (tiles.extents.content, tiles.extents.style)
        )
        always = company.program + company.held + self.parameters.size
        # Two copies more of a matrix that is made whole, and what to start from.
        always += (
            self._matrices()
            + 2 * DOUBLE * max(matrix_sides(self.grid).values()) ** 2
            + content
        )
        features = self._content(self.layout.on_disk)
        stages = []
        for of_style in (True, False):
            drafts = tiles.drafts(0, of_style)
            kept = max(kept_bytes(one) for one, _ in drafts)
            window = _window(tiles.style if of_style else tiles.grid)
            more = 0 if of_style else features
            stages.append(content + style + kept + self._room(drafts) + window + more)
        loop = self._room(self.drafts) + _window(self.grid) + features
        # The loop's picture, while all are there; its moments, once they are not.
        own = content + max(content + style, 2 * content * bool(company.held))
        return always + max(*stages, loop + own)

    @property
    def total(self) -> int:
        """Bytes at most."""
        return max(self.running.total, self.setting_up)

    def _content(self, on_disk: bool) -> int:
        sizes = _features(self.drafts, self._tiles.scales)
        if on_disk:
            return max(sizes)
        counts = (count for _, count in self.drafts)
        return sum(size * count for size, count in zip(sizes, counts, strict=True))

    def _room(self, drafts: list[tuple[TileDrafts, int]]) -> int:
        made: list[Draft] = [draft for one, _ in drafts for draft in one.drafts]
        size = max(draft.arrange().size for draft in made)
        return size + max(draft.space for draft in made) * self._tiles.threads

    def _matrices(self) -> int:
        # Sums and targets in double precision, and packed errors.
        return sum(side**2 for side in matrix_sides(self.grid).values()) * (
            2 * DOUBLE + FLOAT
        )

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


def _features(
    drafts: Iterable[tuple[TileDrafts, int]], nodes: Iterable[str]
) -> list[int]:
    """Return the bytes of each geometry's own features at some taps."""
    chosen = set(nodes)
    return [
        sum(one.maps[n].size for n in chosen & one.maps.keys()) for one, _ in drafts
    ]


def _area(extent: tuple[int, int]) -> int:
    height, width = extent
    return height * width


def _window(grid: Grid) -> int:
    """Return the bytes of the largest tile's pixels."""
    return max(_area((w.height, w.width)) for w in _windows(grid)) * PLANES


def _windows(grid: Grid) -> list[Region]:
    return [tile.window for tile in grid.tiles]


def _floor(draft: Draft) -> float:
    costs: Iterator[Cost] = (cost(line.step[0]) for line in draft.lines)
    return sum(one.floor(FLOPS, BANDWIDTH) for one in costs)


def untiled(
    network: Network,
    protocol: Protocol,
    extents: Extents,
    threads: int,
    half: bool,
    company: Company,
) -> int:
    """Return the bytes that a transfer takes without tiles; see `Side`, `Company`."""
    shapes = extents.content, extents.style
    engine = Footprint.of(network, protocol, *shapes, threads, half).total
    content, style = map(_area, shapes)
    given = (2 * content + style) * PLANES
    more = max(company.held, content * company.saved)
    return company.program + engine + given + more


def parameters_for(grid: Grid, half: bool) -> Parameters:
    """Return filters for tiles, chosen by the size of the largest one."""
    windows = _windows(grid)
    height = max(window.height for window in windows)
    width = max(window.width for window in windows)
    return Parameters(grid.network, height, width, half)


def choose(
    sketch: Callable[[int], Side],
    memory: int,
    company: Company = Company(),  # noqa: B008 - frozen
    side: int | None = None,
) -> Cut:
    """Return the fastest way to cut a picture that fits into some memory.

    Parameters
    ----------
    sketch
        Gives a transfer in tiles of a size.
    memory
        Bytes for everything that is counted in `Estimate`.
    company
        What there is beside the tiles.
    side
        Pixels of a tile, if they are given.

    Raises
    ------
    UserError
        If it takes more, however it is cut.
    """
    sketch = functools.cache(sketch)
    sides = [side] if side else sides_of(sketch)
    any_side = sketch(sides[-1])
    height, width = any_side.extents.content
    count = len(any_side.grid.network.taps)

    def cut(side: int, again: int, on_disk: bool) -> Cut:
        return Cut(sketch(side), Layout(side, again, on_disk), company)

    fitting = []
    # What is computed anew needs no memory: the less of it, the smaller the tiles.
    largest = 0
    for again in reversed(range(count + 1)):
        for number, on_disk in itertools.product(range(largest, len(sides)), (0, 1)):
            found = cut(sides[number], again, bool(on_disk))
            if found.total <= memory:
                fitting.append(found)
                largest = number
                break
    if fitting:
        return min(fitting, key=lambda found: found.seconds)
    least = min((cut(one, count, on_disk=True) for one in sides), key=_total)
    raise UserError(
        f"{width}×{height} pixels take {formats.mebibytes(least.total)} of memory at "
        f"least, the program included, and not {formats.mebibytes(memory)}; "
        "give more --memory, or choose a smaller --width"
    )


def _total(cut: Cut) -> int:
    return cut.total


def sides_of(sketch: Callable[[int], Side]) -> list[int]:
    """Return the sides of tiles that are worth trying, the largest first.

    Parameters
    ----------
    sketch
        Gives a transfer in tiles of a size.
    """
    any_side = sketch(LEAST)
    longest = max(any_side.extents.content)
    count = len(any_side.grid.network.taps)
    slowest = SLOWEST * Cut(sketch(longest), Layout(longest, 0, False)).seconds
    found = _sides(longest, any_side.grid.step)
    # The smaller, the slower.
    while len(found) > 1:
        last = Cut(sketch(found[-1]), Layout(found[-1], count, True))
        if last.seconds <= slowest:
            break
        found.pop()
    return found


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
