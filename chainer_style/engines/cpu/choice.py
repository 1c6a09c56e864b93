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

BYTES = 10
"""Of filters that come from memory, per cycle."""

TRANSFORM = {2: 170, 4: 450, 6: 1250}
"""Cycles that a tile takes per 16 channels, there and back halved."""

HALF = (2, 4)
"""Tiles whose error is small enough in bfloat16."""

GAIN = 0.97
"""Share of the time that a larger tile may take to be worth its larger filters."""


def tiles(
    network: Network, height: int, width: int, half: bool = False
) -> dict[tuple[str, bool], int]:
    """Return the results of the best tile along an axis; 0: none can be used.

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
            small = (node.kernel, node.stride, node.groups) == (3, 1, 1)
            fits = small and node.pad <= 2 and node.inputs[0] != INPUT
            read, written = shapes[node.inputs[0]], shapes[node.name]
            found[node.name, False] = best(read.channels, written, half) if fits else 0
            found[node.name, True] = best(written.channels, read, half) if fits else 0
    return found


def best(channels: int, written: Shape, half: bool = False) -> int:
    """Return the best tile for so many channels read and a map written."""
    costs = {made: cycles(made, channels, written, half) for made in TRANSFORM}
    chosen, *others = HALF if half else sorted(TRANSFORM)
    for made in others:
        if costs[made] < GAIN * costs[chosen]:
            chosen = made
    return chosen


def cycles(made: int, channels: int, written: Shape, half: bool = False) -> float:
    """Return roughly the cycles of a convolution by F(made, 3)."""
    planes = (made + 2) ** 2
    count = math.ceil(written.height / made) * math.ceil(written.width / made)
    pairs = planes * channels * written.channels
    transforms = TRANSFORM[made] * count * (channels + written.channels) / 32
    products = count * pairs / MULTIPLY_ADDS
    multiplied = max(products, 4 * pairs / BYTES)
    return 2 * transforms + (multiplied / 2 if half else multiplied)
