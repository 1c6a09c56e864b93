"""How a convolution is best computed: by which Winograd tile, or by windows.

Nothing is measured on the spot: how a picture comes out must not depend on what else
the machine was doing. Constants were fitted to layers of VGG-16 at 64 to 512 px on
AVX-512, on two kinds of CPU; see ``benchmarks/tiles.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from chainer_style.engines.cpu import strided
from chainer_style.engines.cpu.kernels import target
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Shape


@dataclass(frozen=True)
class Rates:
    """What a core does.

    Attributes
    ----------
    multiply_adds
        Per cycle.
    bytes
        Of filters that come from memory, per cycle.
    nearby
        The same of few filters, see `LIGHT`.
    transforms
        Cycles that a tile takes per 16 channels, there and back halved, by the inputs
        that it sees along an axis.
    windows
        Times the cycles of their products that windows take.
    """

    multiply_adds: int
    bytes: float
    nearby: float
    transforms: Mapping[int, int]
    windows: float = 1


RATES = (
    # Fitted on AMD's Zen 4. The bytes are those where two cores read at once; one alone
    # has up to 10. Tiles that see 10 inputs were never measured there: as many times
    # what those of 8 take as on the other. For Zen 3, with AVX2, this row is off by 3 %
    # in the median; such tiles are up to a fifth faster there.
    Rates(16, 6, 6, {4: 120, 6: 400, 8: 1100, 10: 2750}),
    # Fitted on Intel's Emerald Rapids.
    Rates(32, 5, 10, {4: 110, 6: 300, 8: 700, 10: 1750}, 1.7),
)
"""By the multiply-adds per cycle."""

LIGHT = 3_000_000
"""Bytes of filters that caches hold from one iteration to the next."""


def rates() -> Rates:
    """Return those of the cores of this machine, as its CPU's name tells them."""
    return next(r for r in RATES if r.multiply_adds == target.multiply_adds())


MADE = {3: (0, 2, 4, 6, 8), 5: (0, 4, 6)}
"""Results of a tile along an axis, by the extent of the filters; 0: windows."""

HALF = (0, 2, 4)
"""Those whose error is small enough in bfloat16."""

FRESH = 4
"""Results of the tile along an axis whose filters may be transformed as needed."""

FEW = 4
"""Tiles at most for which they are: `kernels.fresh` has their sums in registers."""

ANEW = 2.7
"""Times the cycles that products take with transforms of the filters among them."""

WIDEST = 10
"""Inputs along an axis of the largest tiles. They are for gradients alone: forth, their
error would turn the signs of ReLUs, one of which may change the gradient by more than
all rounding does."""

TINY = 4
"""Positions along an axis at most of maps that are convolved directly: a third of the
products of 16 positions falls outside of the map, and tiles' filters are larger."""

ROOM = 32_000_000
"""Bytes that their filters may take, where maps do not take half as many."""

SAME = 2 / 3
"""Times the bytes per cycle of a core that reads the same filters as others."""

GAIN = 0.97
"""Share of the time that a larger tile may take to be worth its larger filters."""


def tiles(
    network: Network, height: int, width: int, half: bool = False
) -> dict[tuple[str, bool], int]:
    """Return the results of the best tile along an axis; 0: none is better.

    By the name of the convolution, and whether it carries gradients back.

    Parameters
    ----------
    network
        With its convolutions.
    height, width
        Of the picture.
    half
        Whether they are multiplied in bfloat16.
    """
    shapes = network.shapes(height, width)
    found = {}
    for node in network.nodes:
        if isinstance(node, Conv):
            ends = shapes[node.inputs[0]], shapes[node.name]
            squares, kernel = strided.has_squares(node), strided.extent(node)
            if squares:
                ends = strided.seen(node, *ends), ends[1]
                fits = kernel in MADE
            else:
                fits = kernel in MADE and node.pad < kernel
                fits = fits and _is_plain(node) and not is_direct(node, *ends)
            for backward in (False, True):
                read, written = ends[::-1] if backward else ends
                kind = half and not squares, kernel, backward
                tiled = fits and (backward or not squares)
                made = best(read.channels, written, *kind) if tiled else 0
                found[node.name, backward] = made
    return found


def best(
    channels: int,
    written: Shape,
    half: bool = False,
    kernel: int = 3,
    backward: bool = False,
) -> int:
    """Return the best tile for so many channels read and a map written."""
    chosen, *others = HALF if half and kernel == 3 else MADE[kernel]
    least = cycles(chosen, channels, written, half, kernel)
    for made in others:
        widest = made + kernel - 1 == WIDEST
        if widest and not (backward and _has_room(channels, written)):
            continue
        needed = cycles(made, channels, written, half, kernel)
        if needed < GAIN * least:
            chosen, least = made, needed
    return chosen


def _has_room(channels: int, written: Shape) -> bool:
    """Whether filters for the largest tiles are no larger than memory is worth."""
    filters = 4 * WIDEST**2 * channels * written.channels
    maps = 4 * written.height * written.width * (channels + written.channels)
    return filters <= max(ROOM, 2 * maps)


def cycles(
    made: int, channels: int, written: Shape, half: bool = False, kernel: int = 3
) -> float:
    """Return roughly the cycles of a convolution by F(made, kernel), or by windows."""
    multiplied = min(_multiplied(made, channels, written, half, kernel))
    if not made:
        return multiplied
    each = rates().transforms[made + kernel - 1] * (channels + written.channels) / 16
    half = half and kernel == 3
    return _count(made, written) * each + (multiplied / 2 if half else multiplied)


def is_direct(conv: Conv, read: Shape, written: Shape) -> bool:
    """Whether maps are so small that most there is to do is to read the filters."""
    same = (read.height, read.width) == (written.height, written.width)
    tiny = max(written.height, written.width) <= TINY
    return conv.kernel == 3 and same and tiny and _is_plain(conv)


def is_fresh(
    made: int, channels: int, written: Shape, half: bool = False, kernel: int = 3
) -> bool:
    """Whether filters are best transformed each time that they are read."""
    stored, anew = _multiplied(made, channels, written, half, kernel)
    return anew < GAIN * stored


def are_apart(
    made: int,
    kernel: int,
    count: int,
    channels: tuple[int, int],
    threads: int,
    half: bool = False,
) -> bool:
    """Whether threads rather have a part of the filters each than of the tiles.

    Then each transforms what all tiles read; else each reads all of the filters.

    Parameters
    ----------
    made, kernel
        F(made, kernel).
    count
        Tiles, few enough for one block.
    channels
        Read and written.
    threads
        That compute them.
    half
        Whether they are multiplied in bfloat16.
    """
    core, seen, numbers = rates(), made + kernel - 1, math.prod(channels)
    multiplied = count * seen**2 * numbers / core.multiply_adds / (1 + half)
    size = 4 * seen**2 * numbers / (1 + half)
    there, back = (count * core.transforms[seen] * n / 16 for n in channels)
    apart = max(multiplied, size / core.bytes) / threads + there + back / threads
    together = (multiplied + there + back) / threads
    return apart < max(together, size / (SAME * core.bytes))


def _is_plain(conv: Conv) -> bool:
    """Whether a convolution goes over all of a feature map, position by position."""
    return conv.stride == conv.groups == 1 and conv.inputs[0] != INPUT


def _count(made: int, written: Shape) -> int:
    """Return the tiles of a map."""
    side = made or 1
    return math.ceil(written.height / side) * math.ceil(written.width / side)


def _multiplied(
    made: int, channels: int, written: Shape, half: bool, kernel: int
) -> tuple[float, float]:
    """Return the cycles of the products, and with filters that are transformed anew."""
    core = rates()
    count, numbers = _count(made, written), channels * written.channels
    seen = made + kernel - 1 if made else kernel
    computed = count * seen**2 * numbers / core.multiply_adds
    size = 4 * seen**2 * numbers
    read = size / (core.nearby if size <= LIGHT else core.bytes)
    stored = max(computed if made else core.windows * computed, read)
    if made != FRESH or kernel != 3 or half or count > FEW:
        return stored, math.inf
    return stored, max(ANEW * computed, 4 * kernel**2 * numbers / core.bytes)
