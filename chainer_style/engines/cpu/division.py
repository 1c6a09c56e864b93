"""How the work of a step is divided: into blocks that fit the cache, for threads."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

from chainer_style.engines.cpu import choice
from chainer_style.engines.cpu.draft import Map
from chainer_style.engines.cpu.filters import Direct, Gather, Way, Windows
from chainer_style.engines.cpu.kernels import direct
from chainer_style.engines.cpu.kernels.gather import VECTORS
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.engines.cpu.kernels.winograd import LINE
from chainer_style.engines.cpu.tiled import Fresh, Tiles

CACHE = 900_000
"""Bytes of a block: about what a core's own cache holds."""

FIRST = 50_000
"""Bytes of a block whose filters are fewer: it stays in the first cache."""

LEAST = 48
"""Tiles of a block at least: for fewer, filters are read too often."""

FEWEST = 8
"""The same where a block is made so small for the sake of the threads only."""

SMALL = 18
"""Tiles of a block whose filters are few bytes: the fewer, the nearer they stay."""

NEAR = 4_400_000
"""Bytes of filters that are few."""

LARGE = 16_000_000
"""Bytes of filters that no cache holds: blocks of twice as many tiles."""

LIGHT = 8_000_000
"""Bytes of filters of windows that every thread may read: the cache that they share
holds them."""

SLOT = 2048
"""Positions at least that one sum of a Gram matrix is over, where there are as many."""

SUMS = 32
"""Sums of losses that a step leaves, where it has as many positions."""

EVEN = 2
"""Of what the number of these is a multiple: two threads have as much to do."""

MATCHED = 36
"""Positions at most at which a Gram matrix is rather computed twice than written."""

FEW = 4096
"""Numbers that are not worth another thread."""

LATE = 4
"""Blocks per thread, where there are no costs of more of them."""

EACH = 2
"""Units per thread of a step whose units differ."""


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


def _count(total: int, block: int, threads: int) -> int:
    """Return how many blocks there are, as many for each thread."""
    count = -(-total // block)
    if threads > 1 and count > 1:
        count = min(total, -(-count // threads) * threads)
    return count


def _balanced(total: int, block: int, threads: int) -> int:
    """Return the size of blocks that are all about as large."""
    return -(-total // _count(total, block, threads))


def shares(blocks: int, panels: int, threads: int, each: int = 1) -> int:
    """Return into how many parts the panels are cut, where blocks are too few.

    No more than that: every part reads and transforms its block anew.
    """
    if threads == 1 or blocks >= each * threads:
        return 1
    return min(panels, -(-each * threads // blocks))


def _cut(
    total: int,
    block: int,
    panels: int,
    filters: int,
    threads: int,
    each: int,
    apart: bool,
) -> tuple[int, int]:
    """Return the number of blocks, and into how many parts the panels are cut.

    Few positions are rather cut into blocks, one for each thread, unless threads had
    better read parts of the filters apart. Where a core's own cache holds these beside
    all else, blocks are smaller: a thread that comes late has less to do.
    """
    if threads > 1 and 4 * filters <= CACHE:
        block = min(block, max(LEAST, -(-total // (LATE * threads))))
    blocks = _count(total, block, threads)
    cut = shares(blocks, panels, threads, each)
    if cut > 1 and not apart and total >= FEWEST * threads:
        return threads, 1
    return blocks, cut


@functools.singledispatch
def convolution(way: Any, read: Map, written: Map, threads: int, each: int = 1) -> Cut:
    """Divide a convolution, by the way that it is computed.

    Parameters
    ----------
    way
        How.
    read, written
        Both maps.
    threads
        That will run it.
    each
        Units per thread, where the panels are cut.
    """
    raise TypeError(f"no way to convolve: {way}")


@convolution.register
def _(way: Gather, read: Map, written: Map, threads: int, each: int = 1) -> Cut:
    panels, stride = way.shape[0], way.stride
    narrow = 4 * panels * PANEL
    rows = max(2 * way.kernel, 2 * CACHE * stride // (read.width * narrow))
    rows = _balanced(written.height, min(rows, -(-written.height // threads)), threads)
    reached = -(-(rows + way.kernel - 1) // stride) + 1
    pixels = stride * written.channels
    vector = next((i for i, size in enumerate(VECTORS) if pixels < size), None)
    return Cut(
        kind="gather",
        units=-(-written.height // rows),
        # Vectors read beyond the last place of the last window.
        space=reached * read.width * narrow + 4 * VECTORS[-1],
        values={
            "positions": rows,
            "panels": panels,
            "kernel": way.kernel,
            "stride": stride,
            # Pixels that are written at once, more than a stride has; 0: one by one.
            "square": 0 if vector is None else -(-VECTORS[vector] // written.channels),
            "mode": vector or 0,
        },
    )


@convolution.register
def _(way: Tiles, read: Map, written: Map, threads: int, each: int = 1) -> Cut:
    planes, panels, channels, _ = way.shape
    total = -(-written.height // way.made) * -(-written.width // way.made)
    wide = 4 * planes * max(channels, written.channels)
    large = 4 * math.prod(way.shape) > LARGE
    block = min(total, max(LEAST * (1 + large), CACHE // wide))
    if way.nbytes <= NEAR:
        block = min(block, SMALL)
    sides = way.read, way.written
    kind = way.made, way.kernel, total, sides, threads, way.half
    apart = choice.are_apart(*kind)
    blocks, cut = _cut(total, block, panels, way.nbytes, threads, each, apart)
    block = -(-total // blocks)
    widest = -(-panels // cut) * PANEL
    return Cut(
        kind=f"winograd{way.made}{_suffix(way)}",
        units=blocks * cut,
        space=(planes + 1) * (4 * block * max(channels, widest) + LINE),
        values={
            "positions": block,
            "shares": cut,
            "panels": panels,
            # Whether maps are asked for ahead: more often, filters are what is late.
            "mode": read.size + written.size >= way.nbytes,
        },
    )


@convolution.register
def _(way: Fresh, read: Map, written: Map, threads: int, each: int = 1) -> Cut:
    panels, channels, *_ = way.shape
    total = -(-written.height // way.made) * -(-written.width // way.made)
    cut = shares(1, panels, threads, each)
    widest = -(-panels // cut) * PANEL
    return Cut(
        kind=f"winograd{way.made}fresh",
        units=cut,
        space=way.planes * (4 * total * (channels + widest) + 2 * LINE),
        values={"positions": total, "shares": cut, "panels": panels},
    )


@convolution.register
def _(way: Direct, read: Map, written: Map, threads: int, each: int = 1) -> Cut:
    total, panels = written.positions, written.channels // PANEL
    blocks = _count(total, LEAST, threads)
    block = -(-total // blocks)
    cut = shares(blocks, panels, threads, each)
    return Cut(
        kind="direct",
        units=blocks * cut,
        space=direct.room(block, way.kernel**2, -(-panels // cut)),
        values={
            "positions": block,
            "shares": cut,
            "panels": panels,
            "kernel": way.kernel,
        },
    )


def begins(way: Way, read: Map, written: Map) -> dict[str, int]:
    """Return how many positions the first window sees before those that are read.

    Parameters
    ----------
    way
        How the convolution is computed.
    read, written
        Both maps, or the parts of them that there are. Written gradients of a
        convolution with a stride begin at a multiple of it.
    """

    def along(read: int, written: int) -> int:
        if isinstance(way, Gather):
            return way.pad + written - read * way.stride
        if isinstance(way, Windows):
            stride = way.conv.stride
            written = written // stride if way.backward else written * stride
        return way.pad + read - written

    return {
        "pad": along(read.top, written.top),
        "pad_across": along(read.left, written.left),
    }


def _suffix(way: Tiles) -> str:
    return "half" if way.half else "" if way.kernel == 3 else f"of{way.kernel}"


@convolution.register
def _(way: Windows, read: Map, written: Map, threads: int, each: int = 1) -> Cut:
    groups, panels, depth, _ = way.shape
    side = way.square
    total = -(-written.height // side) * -(-written.width // side)
    wide = 4 * (depth + panels * PANEL)
    room = CACHE if way.nbytes > FIRST else FIRST
    block, spread = min(total, max(LEAST, room // wide)), side > 1 or written.raw
    if spread or groups > 1:
        blocks = _count(total, block, threads)
        cut = 1 if spread else shares(blocks * groups, panels, threads)
    else:
        apart = way.nbytes > LIGHT
        blocks, cut = _cut(total, block, panels, way.nbytes, threads, each, apart)
    block = -(-total // blocks)
    widest = -(-panels // cut) * PANEL
    return Cut(
        kind="windows",
        units=blocks * cut * groups,
        space=4 * block * (depth + widest),
        values={
            "positions": block,
            "shares": cut * groups,
            "groups": groups,
            "panels": panels,
            "count": way.read,
            "kernel": way.kernel,
            "stride": way.stride,
            "square": side,
            "mode": spread,
        },
    )


def positions(shape: Map, threads: int) -> int:
    """Return the positions of a block of a step that goes over a map."""
    block = max(LEAST, CACHE // 8 // shape.channels)
    if threads > 1:
        each = -(-shape.positions // threads)
        block = min(block, max(each, -(-FEW // shape.channels)))
    return min(shape.positions, _balanced(shape.positions, block, threads))


def is_few(shape: Map) -> bool:
    """Whether a map has few positions for its channels; see `grams.style_few`.

    The matrix has to be larger than a core's own cache. It costs as many operations
    more as it has numbers, times the positions, and saves three times its bytes.
    """
    return shape.positions <= MATCHED and 4 * shape.channels**2 > CACHE


def summed(shape: Map) -> int:
    """Return the positions of a block of a step that leaves a sum of losses.

    Not by the number of threads: the last bits of sums depend on it.
    """
    block = min(positions(shape, 1), max(LEAST // 4, -(-shape.positions // SUMS)))
    return _balanced(shape.positions, block, EVEN)


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
