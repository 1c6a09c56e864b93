"""Which part of every feature map some part of the taps depends on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self

from chainer_style.networks.graph import INPUT, Network
from chainer_style.networks.nodes import Conv, Node, Pool, Shape, Window


class Region(NamedTuple):
    """Some rows and columns of a map, the last ones left out.

    Attributes
    ----------
    top, left, bottom, right
        From 0.
    """

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def of(cls, shape: Shape) -> Self:
        """Return the whole of a map."""
        return cls(0, 0, shape.height, shape.width)

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return self.height <= 0 or self.width <= 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """What takes it out of an array of rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def hull(self, other: Region) -> Region:
        """Return the smallest region with both."""
        return Region(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def within(self, other: Region) -> Region:
        """Return the same region, told from where another one begins."""
        return Region(
            self.top - other.top,
            self.left - other.left,
            self.bottom - other.top,
            self.right - other.left,
        )


def needed(
    network: Network, height: int, width: int, taps: Mapping[str, Region]
) -> dict[str, Region]:
    """Return what some parts of tapped maps depend on, of every map.

    Whoever computes these parts, from those of the maps before, gets what the whole
    picture would give there: windows reach beyond a part only where the map ends, and
    there they find the padding that they always find.

    Parameters
    ----------
    network
        Up to its taps.
    height, width
        Of the whole picture.
    taps
        By tapped node, the part that is asked for.

    Returns
    -------
    dict
        By node, and for the picture; nodes of which nothing is needed are left out.
        The part of the picture is the union of the receptive fields.
    """
    shapes = network.shapes(height, width)
    found = {name: part for name, part in taps.items() if not part.is_empty}
    before: dict[str, Region] = {}
    # What goes from position to position keeps its input's part, and so a pass may
    # widen what an earlier one found; a map's extent ends that.
    while before != found:
        before = dict(found)
        for node in reversed(network.nodes):
            if node.name not in found:
                continue
            pointwise = not isinstance(node, (Conv, Pool))
            for name in node.inputs:
                seen = _seen(node, found[node.name], shapes[name])
                found[name] = found[name].hull(seen) if name in found else seen
                if pointwise:
                    found[node.name] = found[node.name].hull(found[name])
    return {name: found[name] for name in (INPUT, *shapes) if name in found}


def _seen(node: Node, part: Region, shape: Shape) -> Region:
    """Return what a node reads of its input for a part of its output."""
    top, bottom = _span(node.window, part.top, part.bottom, shape.height)
    left, right = _span(node.window, part.left, part.right, shape.width)
    return Region(top, left, bottom, right)


def _span(window: Window, first: int, last: int, length: int) -> tuple[int, int]:
    kernel, stride, pad = window
    begin = max(first * stride - pad, 0)
    # Gradients of a stride are computed in squares that begin at multiples of it.
    return begin // stride * stride, min((last - 1) * stride - pad + kernel, length)
