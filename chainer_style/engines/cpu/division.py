"""How the work of a step is divided: into blocks that fit the cache, for threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainer_style.engines.cpu.draft import Map
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.engines.cpu.kernels.winograd import LINE

if TYPE_CHECKING:
    from chainer_style.engines.cpu.parameters import Filters

CACHE = 900_000
"""Bytes of a block: about what a core's own cache holds."""

LEAST = 48
"""Tiles of a block at least: for fewer, filters are read too often."""

LARGE = 16_000_000
"""Bytes of filters that no cache holds: blocks of twice as many tiles."""

SLOT = 2048
"""Positions at least that one sum of a Gram matrix is over, where there are as many."""

EACH = 4
"""Units per thread at least, so that all end at about the same time."""


@dataclass(frozen=True)
class Cut:
    """The work of a convolution in units.

    Attributes
    ----------
    kind, units, space
        See `Draft.add`.
    values
        Fields of the step.
    """

    kind: str
    units: int
    space: int
    values: dict[str, int]


def _balanced(total: int, block: int, threads: int) -> int:
    """Return the size of blocks that are all about as large."""
    count = -(-total // block)
    if threads > 1 and count > 1:
        count = -(-count // threads) * threads
    return -(-total // count)


def shares(blocks: int, panels: int, threads: int) -> int:
    """Return into how many parts the panels are cut, where blocks are too few."""
    if threads == 1 or blocks >= EACH * threads:
        return 1
    return min(panels, -(-EACH * threads // blocks))


def convolution(found: Filters, read: Map, written: Map, threads: int) -> Cut:
    """Divide a convolution."""
    if found.made:
        return _tiles(found, read, written, threads)
    if found.windows is None:
        return _gathered(found, read, written, threads)
    return _windows(found, read, written, threads)


def _gathered(found: Filters, read: Map, written: Map, threads: int) -> Cut:
    narrow = 4 * found.panels * PANEL
    rows = max(2 * found.kernel, CACHE // 2 // (read.width * narrow))
    rows = _balanced(written.height, min(rows, written.height), threads)
    return Cut(
        kind="gather",
        units=-(-written.height // rows),
        space=(rows + found.kernel) * read.width * narrow,
        values={
            "positions": rows,
            "panels": found.panels,
            "kernel": found.kernel,
            "pad": found.pad,
        },
    )


def _tiles(found: Filters, read: Map, written: Map, threads: int) -> Cut:
    made = found.made
    planes = (made + 2) ** 2
    total = -(-written.height // made) * -(-written.width // made)
    panels = written.channels // PANEL
    each = 4 * planes * (read.channels + written.channels)
    large = 4 * planes * read.channels * written.channels > LARGE
    block = min(total, max(LEAST * (1 + large), CACHE // each))
    block = _balanced(total, block, threads)
    cut = shares(-(-total // block), panels, threads)
    widest = -(-panels // cut) * PANEL
    return Cut(
        kind=f"winograd{made}",
        units=-(-total // block) * cut,
        space=planes * (4 * block * (read.channels + widest) + 2 * LINE),
        values={
            "positions": block,
            "shares": cut,
            "panels": panels,
            "pad": found.pad,
        },
    )


def _windows(found: Filters, read: Map, written: Map, threads: int) -> Cut:
    windows = found.windows
    assert windows is not None
    groups, panels, depth, _ = windows.panels.shape
    side = windows.square
    total = -(-written.height // side) * -(-written.width // side)
    each = 4 * (depth + panels * PANEL)
    block = _balanced(total, min(total, max(LEAST, CACHE // each)), threads)
    spread = side > 1 or written.raw
    cut = 1 if spread else shares(-(-total // block) * groups, panels, threads)
    widest = -(-panels // cut) * PANEL
    return Cut(
        kind="windows",
        units=-(-total // block) * cut * groups,
        space=4 * block * (depth + widest),
        values={
            "positions": block,
            "shares": cut * groups,
            "groups": groups,
            "panels": panels,
            "count": windows.read,
            "kernel": windows.kernel,
            "stride": windows.stride,
            "pad": windows.pad,
            "square": side,
            "mode": spread,
        },
    )


def positions(shape: Map, threads: int) -> int:
    """Return the positions of a block of a step that goes over a map."""
    block = max(LEAST, CACHE // 8 // shape.channels)
    return min(shape.positions, _balanced(shape.positions, block, threads))


def rows(shape: Map, threads: int) -> int:
    """Return the rows of a block of a step that goes over a map by rows."""
    return max(1, positions(shape, threads) // shape.width)


def slots(shape: Map) -> list[int]:
    """Return into how many positions each a Gram matrix's sum is cut.

    Not by the number of threads: the last bits of sums depend on it.
    """
    count = max(1, shape.positions // SLOT)
    block = -(-shape.positions // count)
    return [
        min(block, shape.positions - start)
        for start in range(0, shape.positions, block)
    ]
