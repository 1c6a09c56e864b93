"""The look of every chart: colours for light and dark pages, axes, files."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a chart; those of the series are safe for the colour-blind.

    They are after Okabe and Ito, https://jfly.uni-koeln.de/color/.

    Attributes
    ----------
    paper, ink, faint, rule
        Background, text, side remarks, grid lines.
    series
        One colour per network and size.
    added
        What the paper's charts had not: this package's engine.
    """

    paper: str
    ink: str
    faint: str
    rule: str
    series: tuple[str, ...]
    added: str


LIGHT = Theme(
    paper="#ffffff",
    ink="#1c1e21",
    faint="#5f6670",
    rule="#e6e4de",
    series=("#0072b2", "#c24f00", "#007a5a", "#a3508a"),
    added="#000000",
)
DARK = Theme(
    paper="#191c20",
    ink="#e8e6e1",
    faint="#a0a7b0",
    rule="#30353b",
    series=("#56b4e9", "#e69f00", "#2fc79f", "#dc8fbe"),
    added="#f0e442",
)


def plain(axes: Axes, theme: Theme) -> None:
    """Give a chart its look: thin rules across, no frame."""
    axes.set_facecolor(theme.paper)
    axes.grid(axis="y", color=theme.rule, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8.5, colors=theme.faint)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(theme.faint)


def save(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """Return a chart as the bytes of a file.

    PNG at 160 dots per inch; SVG with the letters as outlines, so that it looks
    the same everywhere.
    """
    out = BytesIO()
    metadata = {"Date": None} if kind == "svg" else None
    # A fixed salt: the same records give the same file.
    with rc_context({"svg.hashsalt": "chainer_style"}):
        figure.savefig(
            out,
            format=kind,
            dpi=160,
            facecolor=figure.get_facecolor(),
            metadata=metadata,
        )
    return out.getvalue()
