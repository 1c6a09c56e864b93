"""The roofline: what arithmetic and memory allow, and what was done.

S. Williams, A. Waterman, D. Patterson. Roofline: An Insightful Visual Performance Model
for Multicore Architectures. Communications of the ACM 52 (4), 2009.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chainer_style.experiments.ceilings import CeilingRecord
from chainer_style.report import formats
from chainer_style.report.charts import spread
from chainer_style.report.machines import Machine
from chainer_style.report.shares import shares
from chainer_style.themes import Theme, plain

LEFT = 1 / 16
"""Operations per byte at the left edge: ReLU has 1/8."""

SIZE = (8.2, 4.4)


def roofs(machine: Machine) -> list[CeilingRecord]:
    """Return the measured ceilings of a machine, the lowest first."""
    own = machine.of(CeilingRecord.experiment).values()
    measured = [record for record in own if record.measured]
    return sorted(measured, key=lambda record: record.flops_per_second)


def draw(machine: Machine, theme: Theme) -> Figure:
    """Draw a machine's rooflines, and its experiments below them.

    Parameters
    ----------
    machine
        With at least one measured ceiling.
    theme
        Colours.
    """
    figure = Figure(figsize=SIZE, facecolor=theme.paper)
    figure.subplots_adjust(left=0.08, right=0.76, top=0.95, bottom=0.13)
    axes = figure.add_subplot()
    found = roofs(machine)
    done = list(_dots(machine))
    right = max([*(4 * roof.ridge for roof in found), 128])
    _axes(axes, theme, right)
    colors = dict(zip([roof.cell for roof in found], theme.series, strict=False))
    lowest = min(found, key=lambda roof: roof.flops_per_second)
    for roof in found:
        above = roof is not lowest or len(found) == 1
        _roof(axes, roof, colors[roof.cell], right, above=above)
    for dot in done:
        color = colors[dot.roof.cell]
        axes.plot([dot.x], [dot.y], marker="o", markersize=5.5, color=color)
    low = min([dot.y for dot in done] + [_left_end(roof) for roof in found])
    axes.set_ylim(low / 2, 2.5 * max(roof.flops_per_second for roof in found))
    _marks(axes, done, theme)
    return figure


@dataclass(frozen=True)
class _Dot:
    """An experiment: operations per byte and per second."""

    title: str
    x: float
    y: float
    roof: CeilingRecord


def _dots(machine: Machine) -> Iterator[_Dot]:
    for share in shares(machine):
        done = share.work
        if share.ceiling and done.flops_per_byte:
            x, y = done.flops_per_byte, done.flops_per_second
            yield _Dot(done.title, x, y, share.ceiling)


def _left_end(roof: CeilingRecord) -> float:
    return LEFT * roof.bytes_per_second


def _axes(axes: Axes, theme: Theme, right: float) -> None:
    plain(axes, theme)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(LEFT, right)
    powers = range(round(math.log2(LEFT)), math.floor(math.log2(right)) + 1, 2)
    names = [f"1/{2**-p}" if p < 0 else str(2**p) for p in powers]
    axes.set_xticks([2.0**p for p in powers], names)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value / 1e9:g}")
    axes.minorticks_off()
    axes.set_xlabel("operations per byte", fontsize=9, color=theme.faint)
    axes.set_ylabel("GFLOP/s", fontsize=9, color=theme.faint)
    axes.grid(axis="x", color=theme.rule, linewidth=0.8)


def _roof(
    axes: Axes, roof: CeilingRecord, color: str, right: float, *, above: bool
) -> None:
    """Draw a roof, and name it above or below its level part."""
    top = roof.flops_per_second
    axes.plot([LEFT, roof.ridge, right], [_left_end(roof), top, top], color=color)
    axes.annotate(
        f"{roof.cell.title}: {formats.plain(top / 1e9)} GFLOP/s, "
        f"{formats.plain(roof.bytes_per_second / 1e9)} GB/s",
        (right, top),
        xytext=(0, 4 if above else -5),
        textcoords="offset points",
        ha="right",
        va="bottom" if above else "top",
        fontsize=8.5,
        color=color,
        annotation_clip=False,
    )


def _marks(axes: Axes, done: Sequence[_Dot], theme: Theme) -> None:
    """Name every dot beside the chart, names moved apart where they are close."""
    low, high = (math.log10(limit) for limit in axes.get_ylim())
    places = [(math.log10(dot.y) - low) / (high - low) for dot in done]
    for dot, place in zip(done, spread(places, 0.05), strict=True):
        axes.annotate(
            dot.title,
            (dot.x, dot.y),
            xytext=(1.015, place),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            color=theme.ink,
            arrowprops={"arrowstyle": "-", "color": theme.faint, "linewidth": 0.6},
            annotation_clip=False,
        )
