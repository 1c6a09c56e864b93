"""What engine ``cpu`` plans for pictures of some size: it follows from shapes alone."""

from __future__ import annotations

from dataclasses import asdict

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chainer_style import networks, themes, transfer
from chainer_style.engines.arena import Arena, Buffer
from chainer_style.engines.cpu import choice
from chainer_style.engines.cpu.compiler import Compiler
from chainer_style.engines.cpu.draft import Draft
from chainer_style.engines.cpu.footprint import MIB, Footprint
from chainer_style.engines.cpu.iteration import Sketch
from chainer_style.engines.cpu.kernels.target import TARGETS
from chainer_style.engines.cpu.losses import Term
from chainer_style.engines.cpu.parameters import Parameters
from chainer_style.networks import Network
from chainer_style.protocols import MODERN, Protocol
from chainer_style.report import rst
from chainer_style.themes import Theme
from chainer_style.tiling.grid import Grid

SIZES = (64, 128, 256, 512)
"""Sizes of pictures, in pixels, that the tables show."""

KINDS = {"features": "features", "gradient": "gradients", "signs": "signs of ReLUs"}
"""What is drawn in a colour of its own, by the first word of a buffer's name."""

OTHER = "Gram matrices and sums"

NAMED = 0.045, 0.035
"""Shares of the chart, across and up, from which on a buffer's name fits in."""


def _posed(name: str) -> tuple[Network, Protocol]:
    protocol = MODERN.with_options(model=name)
    return transfer.network_for(protocol), protocol


def drafted(name: str, size: int) -> Draft:
    """Return the steps of an iteration of protocol ``modern``, for one thread."""
    network, protocol = _posed(name)
    compiler = Compiler(network, size, size, Parameters(network, size, size), 1)
    terms = {tap.node: Term(1, 1, bool(tap.content)) for tap in network.taps}
    Sketch(compiler, protocol, terms)
    return compiler.draft


def margins() -> str:
    """Return a table of the pixels that tiles share on each side, by deepest tap."""
    rows = []
    for network in networks.NETWORKS.values():
        if network.taps:
            part = network.upto_taps()
            side = 2 * Grid(part, SEEN, SEEN, SEEN).step
            margin = Grid(part, SEEN, SEEN, max(side, SEEN // 4)).margin
            rows.append([network.title, part.taps[-1].node, f"{margin} px"])
    return rst.table(["Network", "up to", "Margin"], rows)


SEEN = 2048
"""Pixels of a picture whose inner tiles have margins on all sides."""


def memory(name: str, size: int) -> str:
    """Return a chart of what lies where, and how long."""
    draft = drafted(name, size)
    light, dark = (
        themes.save(draw(draft, theme), "svg") for theme in (themes.LIGHT, themes.DARK)
    )
    whole = sum(buffer.size for buffer in draft.buffers()) / MIB
    shared = draft.arrange().size / MIB
    title = networks.get(name).title
    return rst.picture(
        light,
        "svg+xml",
        "Buffers as rectangles: steps across, addresses up",
        f"An iteration of {title} at {size} px, step by step; a buffer's height is its "
        f"size, its width how long it is in use. {len(draft.buffers())} buffers of "
        f"{whole:.0f} MiB share {shared:.0f} MiB.",
        dark=dark,
        classes="chart",
    )


def draw(draft: Draft, theme: Theme = themes.LIGHT) -> Figure:
    """Draw every buffer of a draft as a rectangle."""
    figure = Figure(figsize=(10, 4.4), facecolor=theme.paper)
    axes = figure.add_axes((0.04, 0.11, 0.95, 0.82))
    themes.plain(axes, theme)
    arena, steps = draft.arrange(), len(draft.lines)
    axes.set_xlim(0, steps)
    axes.set_ylim(0, 1.02 * arena.size / MIB)
    axes.set_xlabel("step", fontsize=8.5, color=theme.faint, loc="right")
    figure.text(0.008, 0.955, "MiB", fontsize=8.5, color=theme.faint)
    for i, (kind, color) in enumerate(_colours(theme).items()):
        figure.text(
            0.06 + 0.12 * i, 0.955, kind, fontsize=9, color=color, weight="bold"
        )
    for buffer in draft.buffers():
        _rectangle(axes, buffer, arena, steps, theme)
    return figure


def _colours(theme: Theme) -> dict[str, str]:
    return dict(zip((*KINDS.values(), OTHER), theme.series, strict=True))


def _rectangle(
    axes: Axes, buffer: Buffer, arena: Arena, steps: int, theme: Theme
) -> None:
    kind, _, of = buffer.name.partition(" ")
    color = _colours(theme)[KINDS.get(kind, OTHER)]
    bottom, high = arena.places[buffer.name] / MIB, buffer.size / MIB
    wide = min(buffer.last + 1, steps) - buffer.first
    place = buffer.first, bottom
    axes.add_patch(Rectangle(place, wide, high, facecolor=color, edgecolor=theme.paper))
    across, up = NAMED
    if high * MIB > up * arena.size and wide > across * steps:
        axes.text(
            buffer.first + wide / 2,
            bottom + high / 2,
            of,
            ha="center",
            va="center",
            fontsize=8,
            color=theme.paper,
        )


def tiles(name: str) -> str:
    """Return a table of the tile of each convolution, there and back, by size."""
    network, _ = _posed(name)
    found = {size: choice.tiles(network, size, size) for size in SIZES}
    rows = [
        [
            f"``{node}``",
            *(
                _both(found[size][node, False], found[size][node, True])
                for size in SIZES
            ),
        ]
        for node, backward in found[SIZES[0]]
        if not backward
    ]
    head = ["", *(f"{size} px" for size in SIZES)]
    title = (
        f"Tiles of {network.title}'s convolutions; forth / back where they differ. "
        f"On a core that begins {choice.rates().multiply_adds} multiply-adds per cycle."
    )
    return rst.table(head, rows, title, "numbers")


def _both(forth: int, back: int) -> str:
    names = [f"F({made})" if made else "windows" for made in (forth, back)]
    return " / ".join(dict.fromkeys(names)) if forth or back else "no tile"


def targets() -> str:
    """Return a table of what the kernels are laid out for."""
    rows = [
        [
            rst.literal(found.name),
            str(found.lanes),
            str(found.rows),
            str(found.panel),
            ", ".join(found.features) or "none",
        ]
        for found in TARGETS
    ]
    head = ["", "Numbers in a vector", "Rows at once", "Panel", "Instructions needed"]
    return rst.table(head, rows, "Targets, the best first.")


def footprints(*names: str) -> str:
    """Return a table of the memory that the engine is predicted to take."""
    rows = []
    for name in names:
        network, protocol = _posed(name)
        for size in SIZES:
            if size < network.minimum_size():
                continue
            extent = size, size
            found = Footprint.of(network, protocol, extent, extent, 1)
            parts = [*asdict(found).values(), found.total]
            title = f"{network.title}, {size} px"
            rows.append([title, *(f"{part / MIB:.1f}" for part in parts)])
    head = ["", *asdict(found), "all"]
    title = "MiB that the engine is predicted to allocate, one thread."
    return rst.table(head, rows, title, "numbers")
