"""What a step of a program cannot do without: operations, and bytes moved."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chainer_style.engines.cpu.draft import FLOAT
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.engines.cpu.kernels.steps import KINDS, Program

TILES = {
    **{f"winograd{made}": (made, made + 2) for made in (2, 4, 6, 8)},
    **{f"winograd{made}half": (made, made + 2) for made in (2, 4)},
    **{f"winograd{made}of5": (made, made + 4) for made in (4, 6)},
    "winograd4fresh": (4, 6),
}
"""What a tile gives and what it sees along an axis, by kernel."""


@dataclass(frozen=True)
class Cost:
    """What something takes at least.

    Attributes
    ----------
    flops
        Floating-point operations of its matrix products, a multiply-add as two, those
        that Winograd saves left out.
    bytes
        Of the arrays that it reads and writes, each once.
    """

    flops: int = 0
    bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Return the cost of both."""
        return Cost(self.flops + other.flops, self.bytes + other.bytes)

    def floor(self, flops: float, bandwidth: float) -> float:
        """Return the seconds that it takes at least.

        Parameters
        ----------
        flops
            Operations per second that the machine reaches.
        bandwidth
            Bytes per second.
        """
        return max(self.flops / flops, self.bytes / bandwidth)


def cost(step: Program) -> Cost:
    """Return the cost of one step."""
    kind = KINDS[step["kind"]]
    read = FLOAT * int(step["height"] * step["width"] * step["channels"])
    written = FLOAT * int(step["y_height"] * step["y_width"] * step["y_channels"])
    products, filters = _products(kind, step)
    moved = {
        "gram": read,
        "compare": 3 * FLOAT * int(step["channels"]) ** 2 + bool(step["source"]) * read,
        "aim": 5 * FLOAT * int(step["channels"]) ** 2,
        "style": (3 if step["target"] else 2) * read,
        "style_few": (3 if step["target"] else 2) * read,
        "variation": 3 * read,
        # Picture and both moments are read and written, the gradient is read.
        "adam": 7 * read,
        "clip": 2 * read,
    }.get(kind, read + written + bool(step["add"]) * written)
    return Cost(2 * products, moved + FLOAT * filters)


def _products(kind: str, step: Program) -> tuple[int, int]:
    """Return the multiply-adds of a step, and the numbers of its filters."""
    made = int(step["panels"]) * PANEL
    height, width = int(step["y_height"]), int(step["y_width"])
    positions = int(step["height"] * step["width"])
    channels = int(step["channels"])
    if kind in TILES:
        side, seen = TILES[kind]
        filters = seen**2 * channels * made
        products = math.ceil(height / side) * math.ceil(width / side) * filters
        if kind.endswith("fresh"):
            return products, (seen + 1 - side) ** 2 * channels * made
        return products, filters // (2 if kind.endswith("half") else 1)
    if kind == "windows":
        side = int(step["square"])
        depth = int(step["kernel"] ** 2 * step["count"])
        filters = int(step["groups"]) * depth * made
        return math.ceil(height / side) * math.ceil(width / side) * filters, filters
    if kind == "direct":
        numbers = channels * int(step["y_channels"])
        rows = _pairs(step, "height", "pad")
        pairs = rows * _pairs(step, "width", "pad_across")
        return pairs * numbers, int(step["kernel"]) ** 2 * numbers
    if kind == "gather":
        return positions * channels * made, channels * made
    if kind == "gram" or (kind == "compare" and step["source"]):
        rows = channels // PANEL
        return positions * PANEL**2 * rows * (rows + 1) // 2, 0
    if kind == "style":
        return positions * channels**2, channels**2
    if kind == "style_few":
        return 2 * positions * channels**2, channels**2
    return 0, 0


def _pairs(step: Program, extent: str, pad: str) -> int:
    """Return the pairs of a result and a place of the filter that are in the map."""
    seen, made, kernel = (int(step[n]) for n in (extent, f"y_{extent}", "kernel"))
    firsts = range(-int(step[pad]), made - int(step[pad]))
    return sum(0 <= first + i < seen for first in firsts for i in range(kernel))
