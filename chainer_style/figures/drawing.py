"""What the drawn figures share: a sheet measured in inches, colours, labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from chainer_style import protocols, themes, transfer
from chainer_style.figures.blocks import Kind
from chainer_style.files import replacing
from chainer_style.networks import Network
from chainer_style.themes import DARK, LIGHT, Theme

WIDTH = 7.6
"""Of every drawing, in inches: as wide as a page's text, letters at their size."""

THEMES = {"light": LIGHT, "dark": DARK}
"""Colours by the kind of page."""

KEY = 0.14
"""Height of the key's line on a sheet, in inches."""

KINDS: dict[Kind, str] = {
    "convolution": "convolution, ReLU",
    "pooling": "pooling",
    "branches": "inception module",
    "other": "other layer",
}
"""What the colours mean."""

LONGEST = 8
"""Letters of a name on one line."""


def sheet(height: float, theme: Theme) -> tuple[Figure, Axes]:
    """Return an empty sheet whose coordinates are inches, (0, 0) bottom left."""
    figure = Figure(figsize=(WIDTH, height), facecolor=theme.paper)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, height)
    return figure, axes


def colour_of(kind: Kind, theme: Theme) -> str:
    """Return the colour of a kind of box."""
    blue, orange, green, *_ = theme.series
    colours = {"convolution": blue, "pooling": orange, "branches": green}
    return colours.get(kind, theme.faint)


def key(axes: Axes, x: float, kinds: Collection[Kind], theme: Theme) -> float:
    """Say what the colours mean; return where there is room for more, in inches."""
    for kind, words in KINDS.items():
        if kind in kinds:
            axes.plot([x], [KEY], "s", color=colour_of(kind, theme), markersize=6)
            axes.text(x + 0.09, KEY, words, va="center", fontsize=7.2, color=theme.ink)
            x += 0.32 + 0.055 * len(words)
    return x


def rules(axes: Axes, heights: Sequence[float], theme: Theme) -> None:
    """Draw thin lines across a sheet."""
    for y in heights:
        ends = [0.1, WIDTH - 0.1]
        axes.plot(ends, [y, y], color=theme.rule, linewidth=0.8, zorder=0)


def mixed(colour: str, other: str, share: float) -> str:
    """Return a colour with a share, 0 to 1, of another one in it."""
    pairs = zip(to_rgb(colour), to_rgb(other), strict=True)
    red, green, blue = ((1 - share) * one + share * two for one, two in pairs)
    return to_hex((red, green, blue))


def letters(pitch: float) -> float:
    """Return the size of letters, in points, for columns so many inches apart."""
    return min(7.2, 15.5 * pitch)


def wrapped(name: str) -> str:
    """Return the name of a layer on as many lines as a narrow column needs."""
    if len(name) <= LONGEST:
        return name
    lines = [""]
    for part in re.findall(r"[^/_-]+[/_-]?", name):
        if lines[-1] and len(lines[-1] + part) > LONGEST:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip("/_") for line in lines)


def save_themes(
    draw: Callable[[Theme], Figure], folder: Path, name: str, *, png: bool = False
) -> dict[str, str]:
    """Draw for light and dark pages as SVG, and for elsewhere as PNG.

    Parameters
    ----------
    draw
        Draws with given colours.
    folder, name
        Of the files, without suffix.
    png
        Whether there shall be a PNG.

    Returns
    -------
    dict
        Names of the files by ``light``, ``dark``, ``png``.
    """
    files = {}
    for kind, theme in THEMES.items():
        figure = draw(theme)
        files[kind] = f"{name}-{kind}.svg"
        _write(folder / files[kind], themes.save(figure, "svg"))
        if png and kind == "light":
            files["png"] = f"{name}.png"
            _write(folder / files["png"], themes.save(figure, "png"))
    return files


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def of_network(
    number: int,
    draw: Callable[[Network, tuple[int, int], Theme], Figure],
    name: str,
    side: int,
    folder: Path,
) -> dict[str, Any]:
    """Draw a network as protocol 2016 has it, for a picture of so many pixels.

    Parameters
    ----------
    number
        Of the figure.
    draw
        Draws it.
    name
        Of the network.
    side
        Height and width of the picture.
    folder
        Where to leave the files.

    Returns
    -------
    dict
        What the record says of it.
    """
    protocol = protocols.get("2016").with_options(model=name)
    graph = transfer.network_for(protocol)
    graph.check_size(side, side)
    files = save_themes(
        lambda theme: draw(graph, (side, side), theme),
        folder,
        f"figure{number}-{name}",
        png=True,
    )
    return {"protocol": protocol.name, "size": side, "pictures": {"chart": files}}


def ramp(count: int, theme: Theme) -> list[str]:
    """Return colours from light to strong, for layers from shallow to deep."""
    blue = theme.series[0]
    shares = [0.62 * (1 - (i + 1) / count) for i in range(count)]
    return [mixed(blue, theme.paper, share) for share in shares]


def names(axes: Axes, lines: Sequence[tuple[str, str]], theme: Theme) -> None:
    """Name a chart's lines beside it, top down; (name, colour) of each."""
    for i, (name, colour) in enumerate(lines):
        y = 0.92 - 0.09 * i
        where: dict[str, Any] = {"transform": axes.transAxes}
        axes.plot(
            [1.03, 1.065], [y, y], color=colour, linewidth=2, clip_on=False, **where
        )
        style: dict[str, Any] = {"va": "center", "fontsize": 8.5, "color": theme.ink}
        axes.text(1.08, y, name, **style, **where)
