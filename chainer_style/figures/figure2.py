"""Figure 2, the channel flow: how many channels every layer has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path as File
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from chainer_style.figures import drawing
from chainer_style.figures.blocks import Block, blocks
from chainer_style.figures.figure1 import read_at
from chainer_style.figures.request import SIZE, Progress, Request
from chainer_style.networks import Network
from chainer_style.themes import LIGHT, Theme

TITLE = "Channel flow"

LEFT, RIGHT = 0.62, 0.12
"""Room for the names of the rows, and behind the last layer, in inches."""

WIDEST = 1.5
"""Of the stream, in inches."""

SOLID = 0.46
"""Share of a column in which the stream keeps its width."""

LEAST = 0.08
"""Height in inches of a strip that its number is written into."""


def make(
    network: str, request: Request, folder: File, progress: Progress
) -> dict[str, Any]:
    """Draw a network as protocol 2016 has it, for a picture of the request's size."""
    return drawing.of_network(2, draw, network, request.size or SIZE, folder)


def draw(network: Network, size: tuple[int, int], theme: Theme = LIGHT) -> Figure:
    """Draw the number of channels as the width of a stream, from picture to last tap.

    Parameters
    ----------
    network
        As the protocol has it; drawn up to its last tap.
    size
        Height and width of the picture in pixels. The channels do not depend on it.
    theme
        Colours.
    """
    chain = blocks(network.upto_taps(), *size)
    figure, axes = drawing.sheet(3.15, theme)
    pitch = (drawing.WIDTH - LEFT - RIGHT) / len(chain)
    scale = WIDEST / max(block.shape.channels for block in chain)
    places = [LEFT + (i + 0.5) * pitch for i in range(len(chain))]
    centre = 2.06
    half = SOLID * pitch / 2
    for (a, one), (b, two) in pairwise(zip(places, chain, strict=True)):
        _bend(axes, (a + half, one), (b - half, two), centre, scale, theme)
    for x, block in zip(places, chain, strict=True):
        _layer(axes, x, half, block, centre, scale, theme)
        _column(axes, x, block, pitch, theme)
    _counts(axes, places, chain, centre, scale, theme)
    _rows(axes, theme)
    drawing.key(axes, LEFT, [block.kind for block in chain], theme)
    return figure


def strips(block: Block, scale: float) -> Iterator[tuple[float, float]]:
    """Yield where each path of a layer begins and ends across the stream, in inches.

    The middle of the stream is 0; the first path is on top.
    """
    total = sum(block.branches)
    for end, channels in zip(accumulate(block.branches), block.branches, strict=True):
        yield scale * (total / 2 - end), scale * (total / 2 - end + channels)


def _layer(
    axes: Axes,
    x: float,
    half: float,
    block: Block,
    centre: float,
    scale: float,
    theme: Theme,
) -> None:
    """Draw a layer's part of the stream, one strip for each path."""
    colour = drawing.colour_of(block.kind, theme)
    several = len(block.branches) > 1
    for low, high in strips(block, scale):
        gap = 0.008 if several else 0
        height = max(high - low - 2 * gap, 0.012)
        bottom = centre + (high + low - height) / 2
        axes.bar(
            x,
            height,
            width=2 * half,
            bottom=bottom,
            color=colour,
            linewidth=0,
            zorder=2,
        )
        if several and height > LEAST:
            axes.text(
                x,
                (low + high) / 2 + centre,
                f"{(high - low) / scale:.0f}",
                ha="center",
                va="center_baseline",
                fontsize=5.5,
                color=theme.paper,
                zorder=3,
            )


def _bend(
    axes: Axes,
    start: tuple[float, Block],
    end: tuple[float, Block],
    centre: float,
    scale: float,
    theme: Theme,
) -> None:
    """Draw the stream between two layers."""
    (a, one), (b, two) = start, end
    ya = max(one.shape.channels * scale / 2, 0.006)
    yb = max(two.shape.channels * scale / 2, 0.006)
    middle = (a + b) / 2
    corners = [
        (a, centre + ya),
        (middle, centre + ya),
        (middle, centre + yb),
        (b, centre + yb),
        (b, centre - yb),
        (middle, centre - yb),
        (middle, centre - ya),
        (a, centre - ya),
        (a, centre + ya),
    ]
    curve = [Path.CURVE4] * 3
    codes = [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY]
    face = drawing.mixed(drawing.colour_of(two.kind, theme), theme.paper, 0.68)
    axes.add_patch(
        PathPatch(Path(corners, codes), facecolor=face, linewidth=0, zorder=1)
    )


def _counts(
    axes: Axes,
    places: Sequence[float],
    chain: Sequence[Block],
    centre: float,
    scale: float,
    theme: Theme,
) -> None:
    """Write the number of channels above the stream."""
    for x, block in zip(places, chain, strict=True):
        top = centre + block.shape.channels * scale / 2 + 0.06
        axes.text(
            x,
            top,
            str(block.shape.channels),
            ha="center",
            va="bottom",
            fontsize=8,
            weight="bold",
            color=theme.ink,
        )


def _column(axes: Axes, x: float, block: Block, pitch: float, theme: Theme) -> None:
    """Write beneath a layer its name, window, and what is read there."""
    size = drawing.letters(pitch)
    colour = drawing.mixed(drawing.colour_of(block.kind, theme), theme.ink, 0.25)
    name = "picture" if block.kind == "picture" else drawing.wrapped(block.name)
    words = "\n".join(read_at(tap) for tap in block.taps)
    for y, text, ink, style, va in (
        (1.03, name, colour, "normal", "center"),
        (0.74, block.window, theme.ink, "normal", "center"),
        (0.62, words, theme.ink, "italic", "top"),
    ):
        axes.text(
            *(x, y, text),
            ha="center",
            va=va,
            fontsize=size,
            color=ink,
            style=style,
            linespacing=1,
        )


def _rows(axes: Axes, theme: Theme) -> None:
    for y, word in ((0.74, "window"), (0.56, "losses")):
        axes.text(0.1, y, word, va="center", fontsize=7.2, color=theme.faint)
    drawing.rules(axes, (0.84, 0.65), theme)
