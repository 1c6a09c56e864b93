"""What a picture of some size would take, without painting it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from chainer_style import memory, transfer
from chainer_style.engines.base import Device, Precision
from chainer_style.engines.cpu import compiled
from chainer_style.engines.cpu.engine import check_precision
from chainer_style.networks import Network
from chainer_style.protocols import Protocol
from chainer_style.tiling import budget, rehearsal
from chainer_style.tiling.budget import Company, Cut, Extents, Layout, Side
from chainer_style.tiling.create import SLACK, Limits, allowed

TRIED = 1024
"""Pixels of a tile that is computed at most to learn the time."""


@dataclass(frozen=True)
class Outlook:
    """What a transfer would take.

    Attributes
    ----------
    cut
        Its tiles; one, if it is computed as a whole.
    whole
        The same without cuts.
    memory
        Bytes, by what they are for.
    seconds
        Of an iteration, as expected.
    iterations
        Of the protocol.
    """

    cut: Cut
    whole: Cut
    memory: Mapping[str, int]
    seconds: float
    iterations: int

    @property
    def tiles(self) -> str:
        """Their number and size."""
        count = len(self.cut.grid.tiles)
        if count == 1:
            return "one: the picture as a whole"
        return (
            f"{count} of {self.cut.grid.side} px at most, and margins of "
            f"{self.cut.grid.margin} px on each side"
        )

    @property
    def passes(self) -> dict[str, str]:
        """What both passes over the tiles share."""
        if self.cut is self.whole:
            return {}
        taps = [tap.node for tap in self.cut.grid.network.taps]
        again = self.cut.layout.again
        found = {"features kept": taps[again:], "computed anew": taps[:again]}
        told = {what: ", ".join(names) for what, names in found.items() if names}
        told["content features"] = "on disk" if self.cut.layout.on_disk else "in memory"
        return told


def look(
    protocol: Protocol,
    content: tuple[int, int],
    style: tuple[int, int],
    limits: Limits,
    device: Device,
    *,
    precision: Precision = "float32",
) -> Outlook:
    """Return what a transfer by engine ``cpu`` would take.

    Parameters
    ----------
    protocol
        Every setting but the width.
    content, style
        Height and width of the pictures.
    limits, device
        See `tiling.create.create`.
    precision
        Of arithmetic.

    Raises
    ------
    UserError
        If it does not fit, or a picture is too small.
    """
    limits.check(protocol)
    check_precision(precision)
    compiled.load()
    half = precision == "bf16"
    network, extents = transfer.network_for(protocol), Extents(content, style)
    for extent in (content, style):
        network.check_size(*extent)
    threads = device.cores

    def side(pixels: int) -> Side:
        return Side(network, extents, pixels, threads, half)

    memory.trim()
    own = memory.resident() + _weights(network) + SLACK
    company = Company(own)
    longest = max(content)
    whole = Cut(side(longest), Layout(longest, 0, on_disk=False), company)
    total = budget.untiled(network, protocol, extents, threads, half, company)
    there = allowed(limits)
    fits = there is None or total <= there
    if fits and (limits.tile is None or limits.tile >= longest):
        cut, parts = whole, {"engine": total - own, "program": own}
    else:
        most = 1 << 62 if there is None else there
        cut = budget.choose(side, most, company, limits.tile)
        parts = asdict(cut.running)
        if (more := cut.total - cut.running.total) > 0:
            parts["more at the start"] = more
    tried = cut
    if cut.layout.side > TRIED:
        tried = Cut(side(TRIED), Layout(TRIED, cut.layout.again, on_disk=False))
    lasting = rehearsal.seconds(cut, tried, threads)
    return Outlook(cut, whole, parts, lasting, protocol.iterations)


def _weights(network: Network) -> int:
    """Return the bytes of a network's weights."""
    shapes = network.parameter_shapes().values()
    return sum(4 * math.prod(shape) for own in shapes for shape in own.values())
