"""Chart of what a network learned, epoch by epoch, and how long it took."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chainer_style.experiments.digits import DigitsRecord
from chainer_style.paper import COLUMNS
from chainer_style.report import formats
from chainer_style.report.charts import spread
from chainer_style.themes import LIGHT, Theme, plain

PANELS: tuple[tuple[str, Callable[[DigitsRecord], Sequence[float]], str], ...] = (
    (
        "Held-out digits told right after each epoch, %",
        lambda record: [100 * value for value in record.accuracy],
        "{:.2f} %",
    ),
    ("Seconds of each epoch", lambda record: record.seconds, "{} s"),
)


def draw(records: Sequence[DigitsRecord], theme: Theme = LIGHT) -> Figure:
    """Draw a machine's records side by side.

    Parameters
    ----------
    records
        Measured ones, one per device.
    theme
        Colours.
    """
    figure = Figure(figsize=(9.6, 2.7), facecolor=theme.paper)
    figure.subplots_adjust(left=0.05, right=0.87, top=0.88, bottom=0.13, wspace=0.45)
    for i, (title, values, ending) in enumerate(PANELS):
        axes = figure.add_subplot(1, 2, i + 1)
        axes.set_title(title, loc="left", fontsize=9.5, color=theme.ink)
        _axes(axes, theme)
        curves = [(record, values(record)) for record in records]
        for record, curve in curves:
            axes.plot(
                range(1, len(curve) + 1),
                curve,
                color=_color(record, theme),
                linewidth=2,
                marker="o",
                markersize=5,
            )
        if i == 1:
            _scale(axes, [value for _, curve in curves for value in curve])
        _labels(axes, curves, ending, theme)
    return figure


def _color(record: DigitsRecord, theme: Theme) -> str:
    return theme.series[COLUMNS.index(record.cell.column)]


def _axes(axes: Axes, theme: Theme) -> None:
    plain(axes, theme)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _scale(axes: Axes, values: Sequence[float]) -> None:
    """Begin at nought, or go by decades where a GPU is that much faster."""
    if max(values) < 10 * min(values):
        axes.set_ylim(0, 1.1 * max(values))
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _labels(
    axes: Axes,
    curves: Sequence[tuple[DigitsRecord, Sequence[float]]],
    ending: str,
    theme: Theme,
) -> None:
    """Write every curve's device and last value beside its end."""
    axes.get_ylim()  # settles the limits, on which the next lines rest
    inverse = axes.transAxes.inverted()
    points = [axes.transData.transform((1, curve[-1])) for _, curve in curves]
    ends = [float(inverse.transform(point)[1]) for point in points]
    for (record, curve), place in zip(curves, spread(ends, 0.09), strict=True):
        last = ending.format(curve[-1] if ":" in ending else formats.plain(curve[-1]))
        axes.text(
            1.02,
            place,
            f"{record.cell.column}, {last}",
            transform=axes.transAxes,
            va="center",
            fontsize=8.5,
            fontweight="bold",
            color=_color(record, theme),
        )
