"""Figures 7 and 8: the paper's curves and today's, drawn by matplotlib.

Those of this package's engine, which the paper had not, are drawn where they were
measured, in a colour and with marks of their own.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from chainer_style import added, networks
from chainer_style.paper import ITERATIONS, MACHINE, MINUTES, Cell, Column, RateTable
from chainer_style.report import formats
from chainer_style.report.comparison import LEFT_OUT, entries
from chainer_style.report.machines import NO_RECORD, Machine
from chainer_style.themes import LIGHT, Theme, plain

PANELS: dict[Column, str] = {
    "CPU": "Iterations on the CPU",
    "GPU": "Iterations on the GPU, without cuDNN",
    "cuDNN": "Iterations on the GPU, with cuDNN",
}


@dataclass(frozen=True, slots=True)
class Curve:
    """Iterations of one cell, by the paper or of today.

    Attributes
    ----------
    label
        What to write beside its end.
    color
        Of its network and size; of this package's engine, the one colour of that.
    values
        Iterations after each minute.
    counted
        Which of today's values were counted; None for the paper's.
    marker
        Of today's marks, as matplotlib calls them.
    """

    label: str
    color: str
    values: Sequence[float]
    counted: Sequence[bool] | None
    marker: str = "o"


def curves(
    table: RateTable, machine: Machine, column: Column, theme: Theme = LIGHT
) -> Iterator[Curve]:
    """Yield the curves of one panel: only what was printed or measured.

    What the paper had not comes first, so that it covers no other.
    """
    for row in table.rows if column == "CPU" else ():
        own = added.beside(Cell(*row, column))
        label = f"{_name(table, row)}, {added.SHORT}"
        yield from _today(own, machine, label, theme.added, "D")
    for row, color in zip(table.rows, theme.series, strict=False):
        cell = Cell(*row, column)
        name = _name(table, row)
        if paper := ITERATIONS.get(cell):
            yield Curve(f"{name}, paper {paper[-1]}", color, paper, None)
        yield from _today(cell, machine, f"{name}, today", color, "o")


def _today(
    cell: Cell, machine: Machine, label: str, color: str, marker: str
) -> Iterator[Curve]:
    found = list(entries(cell, machine))
    today = [entry.today for entry in found if entry.today is not None]
    if today:
        counted = [entry.counted for entry in found]
        last = formats.iterations(today[-1], counted[-1])
        yield Curve(f"{label} {last}", color, today, counted, marker)


def _name(table: RateTable, row: tuple[str, int]) -> str:
    """Name a curve by what tells it from the others: its network or its size."""
    if len({size for _, size in table.rows}) == 1:
        return networks.get(row[0]).title
    return f"{row[1]} px"


def not_drawn(table: RateTable, machine: Machine, column: Column) -> list[str]:
    """Say which curves a panel lacks, and why.

    What nobody tried is not told where something else was tried.
    """
    lacking: dict[str, list[str]] = {}
    tried = [row for row in table.rows if Cell(*row, column) in machine.rates]
    for row in tried or table.rows:
        if reason := machine.reason(Cell(*row, column), table):
            lacking.setdefault(reason, []).append(_name(table, row))
    notes = [f"the paper’s: {LEFT_OUT}"] if column == "cuDNN" else []
    for reason, names in lacking.items():
        some = len(names) < len(tried or table.rows)
        which = f"{formats.listing(names)} " if some else ""
        notes.append(f"{which}today not measured: {reason}")
    return notes


def draw(
    table: RateTable,
    machine: Machine,
    theme: Theme = LIGHT,
    *,
    narrow: bool = False,
    alone: bool = False,
) -> Figure:
    """Draw a table as a chart: iterations over minutes, one panel per device.

    Both axes are logarithmic: a steady rate is a straight line, and equal
    distances are equal ratios, in every panel alike.

    Parameters
    ----------
    table
        Table 4 for Figure 7, Table 5 for Figure 8.
    machine
        Whose records to draw beside the paper's numbers.
    theme
        Colours.
    narrow
        Put the panels below each other, for small screens.
    alone
        Write title and key onto it, for a file without a caption.
    """
    columns = drawn_columns(table, machine)
    by_column = {c: list(curves(table, machine, c, theme)) for c in columns}
    above, below = _words(table, machine) if alone else ("", "")
    figure, panels = _panels(len(columns), narrow, above, below, theme)
    limits = _limits(by_column)
    for axes, column in zip(panels, columns, strict=True):
        _axes(axes, limits[column], theme)
        axes.set_title(PANELS[column], loc="left", fontsize=9.5, color=theme.ink)
        for curve in by_column[column]:
            _curve(axes, curve, theme)
        _labels(axes, by_column[column])
        _remark(axes, not_drawn(table, machine, column), theme)
    return figure


def drawn_columns(table: RateTable, machine: Machine) -> list[Column]:
    """Return the devices that get a panel: cuDNN only where it was measured."""
    measured = {c.column for c in table.cells if machine.measured(c)}
    return [c for c in PANELS if c != "cuDNN" or c in measured]


def _words(table: RateTable, machine: Machine) -> tuple[str, str]:
    """Return the title and the key of a chart that stands alone."""
    title = f"Figure {table.figure}. {table.title}"
    return title, "\n".join(textwrap.fill(line, 140) for line in key(table, machine))


def key(table: RateTable, machine: Machine) -> list[str]:
    """Say how to read a chart: lines, marks, machines, weights, what is missing."""
    label = machine.label(*table.rows) or "nothing measured"
    lines = [
        f"Dashed: the paper ({MACHINE}).",
        f"Solid: today ({machine.hardware}), {label}. Filled marks were counted; "
        "open ones are the median rate times minutes.",
        "Both axes are logarithmic: a steady rate is a straight line.",
    ]
    lines += _key_added(table, machine)
    if "cuDNN" not in drawn_columns(table, machine):
        cells = [cell for cell in table.cells if cell.column == "cuDNN"]
        reasons = {str(machine.reason(c)) for c in cells if c in machine.rates}
        reason = formats.listing(sorted(reasons)) or NO_RECORD
        lines.append(
            f"No curves for cuDNN; the paper’s: {LEFT_OUT}; today’s not measured: "
            f"{reason}."
        )
    return lines


def _key_added(table: RateTable, machine: Machine) -> Iterator[str]:
    """Say how to read the curves of this package's engine, or why there are none."""
    cells = [cell for cell in added.cells(table) if added.is_added(cell)]
    if any(map(machine.measured, cells)):
        yield f"Diamonds, “{added.SHORT}”: {added.TITLE}, {added.NOT_THE_PAPERS}."
    lacking: dict[str, list[str]] = {}
    for cell in cells:
        if reason := machine.reason(cell, table):
            name = _name(table, (cell.network, cell.size))
            lacking.setdefault(reason, []).append(name)
    for reason, names in lacking.items():
        which = "" if len(names) == len(cells) else f", {formats.listing(names)}"
        yield f"No curve of {added.TITLE}{which}: {reason}."


def _panels(
    count: int, narrow: bool, above: str, below: str, theme: Theme
) -> tuple[Figure, list[Axes]]:
    """Make a figure with room for words above and below, and beside each panel."""
    across = 1 if narrow else 2
    down = math.ceil(count / across)
    top = 0.42 + (0.36 if above else 0)
    bottom = 0.35 + (0.3 + 0.15 * (below.count("\n") + 1) if below else 0)
    side, beside, panel, gap = 0.55, 1.9, 2.75, 0.75
    width = 4.6 if narrow else 9.6
    height = top + bottom + down * panel + (down - 1) * gap
    figure = Figure(figsize=(width, height), facecolor=theme.paper)
    inner = width / across - side - beside
    figure.subplots_adjust(
        left=side / width,
        right=1 - beside / width,
        top=1 - top / height,
        bottom=bottom / height,
        wspace=(side + beside) / inner,
        hspace=gap / panel,
    )
    figure.text(
        0.12 / width,
        1 - 0.12 / height,
        above,
        va="top",
        fontsize=11,
        color=theme.ink,
        fontweight="bold",
    )
    figure.text(
        0.12 / width, 0.12 / height, below, va="bottom", fontsize=8, color=theme.faint
    )
    return figure, [figure.add_subplot(down, across, i + 1) for i in range(count)]


def _remark(axes: Axes, notes: Sequence[str], theme: Theme) -> None:
    """Write into the empty corner what a panel lacks."""
    axes.text(
        0.98,
        0.03,
        "\n".join(textwrap.fill(note, 38) for note in notes),
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        fontsize=8,
        bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": 1.5},
        style="italic",
        color=theme.faint,
    )


def _limits(
    by_column: Mapping[Column, Sequence[Curve]],
) -> dict[Column, tuple[float, float]]:
    """Return the range of every panel's axis: as many decades in each.

    Both panels of the GPU have the same.
    """
    ends: dict[bool, list[float]] = {}
    for column, found in by_column.items():
        values = [math.log10(value) for curve in found for value in curve.values]
        ends.setdefault(column == "CPU", []).extend(values)
    span = max(max(values) - min(values) for values in ends.values()) + 0.35
    limits: dict[Column, tuple[float, float]] = {}
    for column in by_column:
        values = ends[column == "CPU"]
        low = (max(values) + min(values) - span) / 2
        limits[column] = (10**low, 10 ** (low + span))
    return limits


def _axes(axes: Axes, limits: tuple[float, float], theme: Theme) -> None:
    axes.set_yscale("log")
    axes.set_xscale("log")
    axes.set_ylim(*limits)
    axes.set_xlim(0.94, MINUTES[-1] * 1.06)
    decades = range(math.floor(math.log10(limits[0])), 9)
    marks = [lead * 10.0**power for power in decades for lead in (1, 2, 5)]
    ticks = [mark for mark in marks if limits[0] <= mark <= limits[1]]
    axes.set_yticks(ticks, [f"{tick:.10g}" for tick in ticks])
    names = [f"{minute} min" if minute == 1 else str(minute) for minute in MINUTES]
    axes.set_xticks(MINUTES, names)
    axes.minorticks_off()
    plain(axes, theme)


def _curve(axes: Axes, curve: Curve, theme: Theme) -> None:
    if curve.counted is None:
        axes.plot(
            MINUTES, curve.values, color=curve.color, linewidth=1.3, dashes=(4, 2.5)
        )
        return
    axes.plot(MINUTES, curve.values, color=curve.color, linewidth=2)
    for minute, value, counted in zip(
        MINUTES, curve.values, curve.counted, strict=True
    ):
        axes.plot(
            [minute],
            [value],
            marker=curve.marker,
            markersize=5.5,
            color=curve.color,
            markerfacecolor=curve.color if counted else theme.paper,
        )


def _labels(axes: Axes, found: Sequence[Curve]) -> None:
    """Write every curve's label beside its end, moved apart where they are close."""
    low, high = (math.log10(limit) for limit in axes.get_ylim())
    ends = [(math.log10(curve.values[-1]) - low) / (high - low) for curve in found]
    for curve, end, place in zip(found, ends, spread(ends, 0.052), strict=True):
        axes.text(
            1.06,
            place,
            curve.label,
            transform=axes.transAxes,
            va="center",
            fontsize=8.5,
            color=curve.color,
            fontweight="normal" if curve.counted is None else "bold",
        )
        axes.add_line(
            Line2D(
                [1.0, 1.05],
                [end, place],
                transform=axes.transAxes,
                color=curve.color,
                linewidth=0.7,
                clip_on=False,
            )
        )


def spread(places: Sequence[float], least: float) -> list[float]:
    """Move numbers apart, keeping their order, until none are closer than `least`.

    A cluster is spread around its mean, so that no number moves far.
    """
    order = sorted(range(len(places)), key=places.__getitem__)
    clusters: list[list[int]] = []
    moved: dict[int, float] = {}

    def lay(cluster: Sequence[int]) -> None:
        middle = sum(places[i] for i in cluster) / len(cluster)
        for k, i in enumerate(cluster):
            moved[i] = middle + (k - (len(cluster) - 1) / 2) * least

    for index in order:
        clusters.append([index])
        lay(clusters[-1])
        while (
            len(clusters) > 1
            and moved[clusters[-1][0]] - moved[clusters[-2][-1]] < least - 1e-12
        ):
            last = clusters.pop()
            clusters[-1].extend(last)
            lay(clusters[-1])
    return [moved[i] for i in range(len(places))]
