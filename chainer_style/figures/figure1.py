"""Figure 1, the model flow: every layer as a box, channels × height × width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from chainer_style.figures import drawing
from chainer_style.figures.blocks import Block, blocks
from chainer_style.figures.request import SIZE, Progress, Request
from chainer_style.networks import Network, Tap
from chainer_style.themes import LIGHT, Theme

TITLE = "Model flow, channels × height × width"

LEFT, RIGHT = 0.68, 0.12
"""Room for the names of the rows, and behind the last box, in inches."""

TALLEST, THICKEST = 1.15, 0.62
"""Of the boxes: height in inches, and thickness as a share of the column."""

RECEDING = (0.36, 0.27)
"""Where the far edge of a box lies, to the right and up, as a share of its width."""

ROW = 0.165
"""Between two lines of text, in inches."""


@dataclass(frozen=True)
class Box:
    """Extent of a box on the sheet in inches."""

    thickness: float
    height: float
    width: float


def make(
    network: str, request: Request, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Draw a network as protocol 2016 has it, for a picture of the request's size."""
    return drawing.of_network(1, draw, network, request.size or SIZE, folder)


def draw(network: Network, size: tuple[int, int], theme: Theme = LIGHT) -> Figure:
    """Draw a network from the picture to its deepest tap.

    Boxes are as tall and deep as the square root of height and width, and as thick as
    the square root of the number of channels: the last ones would not be seen
    otherwise.

    Parameters
    ----------
    network
        As the protocol has it; drawn up to its last tap.
    size
        Height and width of the picture in pixels.
    theme
        Colours.
    """
    chain = blocks(network.upto_taps(), *size)
    figure, axes = drawing.sheet(3.3, theme)
    pitch = (drawing.WIDTH - LEFT - RIGHT) / len(chain)
    boxes = extents(chain, pitch)
    centre = 2.28
    _axis(axes, centre, theme)
    for i, (block, box) in enumerate(zip(chain, boxes, strict=True)):
        x = LEFT + (i + 0.5) * pitch
        _solid(axes, x, centre, box, block, theme)
        _column(axes, x, block, pitch, theme)
    _rows(axes, theme)
    x = drawing.key(axes, LEFT, [block.kind for block in chain], theme)
    axes.plot([x], [drawing.KEY], "v", color=theme.ink, markersize=4.5)
    words = "read by the losses (tap)"
    style: dict[str, Any] = {"va": "center", "fontsize": 7.2, "color": theme.ink}
    axes.text(x + 0.09, drawing.KEY, words, **style)
    return figure


def extents(chain: Sequence[Block], pitch: float) -> list[Box]:
    """Return the boxes' extents in inches, for columns so many inches apart."""
    shapes = [block.shape for block in chain]
    side = max(max(shape.height, shape.width) for shape in shapes) ** 0.5
    channels = max(shape.channels for shape in shapes) ** 0.5
    return [
        Box(
            thickness=max(THICKEST * pitch * shape.channels**0.5 / channels, 0.025),
            height=TALLEST * shape.height**0.5 / side,
            width=TALLEST * shape.width**0.5 / side,
        )
        for shape in shapes
    ]


def _solid(
    axes: Axes, x: float, centre: float, box: Box, block: Block, theme: Theme
) -> None:
    """Draw a box in oblique projection, its middle at (x, centre)."""
    right, up = (share * box.width for share in RECEDING)
    x0 = x - (box.thickness + right) / 2
    x1 = x0 + box.thickness
    y0 = centre - (box.height + up) / 2
    y1 = y0 + box.height
    colour = drawing.colour_of(block.kind, theme)
    front = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    top = [(x0, y1), (x1, y1), (x1 + right, y1 + up), (x0 + right, y1 + up)]
    side = [(x1, y0), (x1 + right, y0 + up), (x1 + right, y1 + up), (x1, y1)]
    edge = drawing.mixed(colour, theme.ink, 0.35)
    for corners, share in ((side, 0.62), (top, 0.78), (front, 0.12)):
        face = drawing.mixed(colour, theme.paper, share)
        axes.add_patch(
            Polygon(corners, facecolor=face, edgecolor=edge, linewidth=0.6, zorder=2)
        )
    if block.taps:
        middle = (x0 + x1) / 2 + right
        axes.plot([middle], [y1 + up + 0.08], "v", color=theme.ink, markersize=4.5)


def _axis(axes: Axes, centre: float, theme: Theme) -> None:
    """Draw the arrow along which the picture goes."""
    axes.annotate(
        "",
        xy=(drawing.WIDTH - 0.04, centre),
        xytext=(LEFT - 0.05, centre),
        arrowprops={"arrowstyle": "-|>", "color": theme.faint, "linewidth": 0.8},
        zorder=1,
    )


def _column(axes: Axes, x: float, block: Block, pitch: float, theme: Theme) -> None:
    """Write beneath a box what it is, its shape, and what is read there."""
    colour = drawing.mixed(drawing.colour_of(block.kind, theme), theme.ink, 0.25)
    name = "picture" if block.kind == "picture" else drawing.wrapped(block.name)
    style: dict[str, Any] = {"ha": "center", "fontsize": drawing.letters(pitch)}
    axes.text(x, 1.42, name, va="center", color=colour, linespacing=0.95, **style)
    for row, number in enumerate(block.shape):
        weight = "bold" if row == 0 else "normal"
        y = 1.1 - row * ROW
        axes.text(
            x, y, str(number), va="center", color=theme.ink, weight=weight, **style
        )
    words = "\n".join(read_at(tap) for tap in block.taps)
    axes.text(
        x,
        0.64,
        words,
        va="top",
        color=theme.ink,
        style="italic",
        linespacing=1,
        **style,
    )


def read_at(tap: Tap) -> str:
    """Say which losses read a tap, a line for each."""
    return "\n".join(w for w in ("style", "content") if getattr(tap, w))


def _rows(axes: Axes, theme: Theme) -> None:
    """Name the rows of the table beneath the boxes."""
    words = ("channels", "× height", "× width", "losses")
    for row, word in enumerate(words):
        y = 1.1 - row * ROW
        axes.text(0.1, y, word, va="center", fontsize=7.2, color=theme.faint)
    drawing.rules(axes, (1.21, 0.69), theme)
