"""How a convolution is best computed: by which Winograd tile, or by windows.

Nothing is measured on the spot: how a picture comes out must not depend on what else
the machine was doing. Constants were fitted to layers of VGG-16 at 64 to 512 px on
AVX-512, which they predict to about 5 %; see ``benchmarks/tiles.py``.
"""

from __future__ import annotations

import math

from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Shape

MULTIPLY_ADDS = 16
"""Per cycle."""

BYTES = 6
"""Of filters that come from memory, per cycle of a core, where two read at once; one
alone has up to 10."""

TRANSFORM = {4: 120, 6: 400, 8: 1100}
"""Cycles that a tile takes per 16 channels, there and back halved, by the inputs that
it sees along an axis."""

MADE = {3: (0, 2, 4, 6), 5: (0, 4)}
"""Results of a tile along an axis, by the extent of the filters; 0: windows."""

HALF = (0, 2, 4)
"""Those whose error is small enough in bfloat16."""

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
            plain = node.stride == node.groups == 1 and node.inputs[0] != INPUT
            fits = plain and node.kernel in MADE and node.pad < node.kernel
            ends = shapes[node.inputs[0]], shapes[node.name]
            for backward in (False, True):
                read, written = ends[::-1] if backward else ends
                made = best(read.channels, written, half, node.kernel) if fits else 0
                found[node.name, backward] = made
    return found


def best(channels: int, written: Shape, half: bool = False, kernel: int = 3) -> int:
    """Return the best tile for so many channels read and a map written."""
    chosen, *others = HALF if half and kernel == 3 else MADE[kernel]
    least = cycles(chosen, channels, written, half, kernel)
    for made in others:
        needed = cycles(made, channels, written, half, kernel)
        if needed < GAIN * least:
            chosen, least = made, needed
    return chosen


def cycles(
    made: int, channels: int, written: Shape, half: bool = False, kernel: int = 3
) -> float:
    """Return roughly the cycles of a convolution by F(made, kernel), or by windows."""
    seen = made + kernel - 1 if made else kernel
    side = made or 1
    count = math.ceil(written.height / side) * math.ceil(written.width / side)
    pairs = seen**2 * channels * written.channels
    multiplied = max(count * pairs / MULTIPLY_ADDS, 4 * pairs / BYTES)
    if not made:
        return multiplied
    transforms = TRANSFORM[seen] * count * (channels + written.channels) / 16
    return transforms + (multiplied / 2 if half and kernel == 3 else multiplied)
