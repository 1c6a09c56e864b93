"""Chart of what ``benchmarks/cpu.py`` measured: operations per second over sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chainer_style.report import formats
from chainer_style.report.charts import spread
from chainer_style.report.contest import Contest, Entry, Group
from chainer_style.themes import LIGHT, Theme, plain

SERIES: Mapping[str, Callable[[Contest], Entry | None]] = {
    "this package": lambda found: found.best("own"),
    "PyTorch": lambda found: found.best("pytorch"),
    "Chainer": lambda found: found.best("chainer"),
    "loop of 2016": lambda found: found.of_2016,
}
"""What is drawn, and who it is at each size: the fastest of its kind."""

WIDTH, HEIGHT = 10, 2.9
"""Of a chart with one row of panels, in inches."""


def draw(groups: Sequence[Group], theme: Theme = LIGHT) -> Figure:
    """Draw a panel for every network and number of threads.

    Parameters
    ----------
    groups
        With something measured.
    theme
        Colours.
    """
    rows = math.ceil(len(groups) / 2)
    figure = Figure(figsize=(WIDTH, HEIGHT * rows), facecolor=theme.paper)
    figure.subplots_adjust(
        left=0.05,
        right=0.86,
        top=1 - 0.3 / (HEIGHT * rows),
        bottom=0.5 / (HEIGHT * rows),
        wspace=0.5,
        hspace=0.35,
    )
    for number, group in enumerate(groups):
        _panel(figure.add_subplot(rows, 2, number + 1), group, theme)
    return figure


def _panel(axes: Axes, group: Group, theme: Theme) -> None:
    plain(axes, theme)
    title = f"{group.title}: GFLOP/s"
    axes.set_title(title, loc="left", fontsize=9.5, color=theme.ink)
    sizes = [found.size for found in group.contests]
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{size} px" for size in sizes])
    axes.minorticks_off()
    ceiling = max(found.ceiling_flops_per_second / 1e9 for found in group.contests)
    axes.axhline(ceiling, color=theme.faint, linewidth=1, linestyle=(0, (4, 3)))
    ends = [(f"sgemm, {formats.plain(ceiling)}", ceiling, theme.faint)]
    for (name, choose), color in zip(SERIES.items(), theme.series, strict=True):
        points = [
            (found.size, found.flops_per_second(entry) / 1e9)
            for found in group.contests
            if (entry := choose(found)) is not None
        ]
        if points:
            axes.plot(*zip(*points, strict=True), color=color, linewidth=2, marker="o")
            last = points[-1][1]
            ends.append((f"{name}, {formats.plain(last)}", last, color))
    axes.set_ylim(bottom=0)
    _labels(axes, ends)


def _labels(axes: Axes, ends: Sequence[tuple[str, float, str]]) -> None:
    """Write every curve's name and last value beside its end."""
    top = axes.get_ylim()[1]
    places = spread([value / top for _, value, _ in ends], 0.08)
    for (text, _, color), place in zip(ends, places, strict=True):
        axes.text(
            1.02,
            place,
            text,
            transform=axes.transAxes,
            va="center",
            fontsize=8.5,
            fontweight="bold",
            color=color,
        )
