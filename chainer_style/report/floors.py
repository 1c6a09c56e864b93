"""Chart of what ``benchmarks/phases.py`` measured: time by phase, and its floor."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chainer_style.report import formats, profiles
from chainer_style.report.profiles import Group, Profile
from chainer_style.themes import LIGHT, Theme

WIDTH, HEIGHT = 10, 0.24
"""Of a chart, and of a phase in it, in inches."""

AROUND = 0.55
"""Inches above each row of panels."""

NAMES = 0.165
"""Share of the width for the names of the phases."""

ROOM = 1.45
"""How far a panel reaches beyond its longest bar, for the numbers."""


def draw(groups: Sequence[Group], theme: Theme = LIGHT) -> Figure:
    """Draw a row of panels for every network and number of threads, one per size.

    Parameters
    ----------
    groups
        With something measured.
    theme
        Colours.
    """
    heights = [HEIGHT * len(group.phases) for group in groups]
    whole = sum(heights) + AROUND * len(groups)
    figure = Figure(figsize=(WIDTH, whole), facecolor=theme.paper)
    sizes = sorted({found.size for group in groups for found in group.profiles})
    wide = (1 - NAMES) / len(sizes)
    top = whole
    for group, height in zip(groups, heights, strict=True):
        figure.text(
            0.005,
            (top - 0.12) / whole,
            group.title,
            va="top",
            fontsize=9.5,
            fontweight="bold",
            color=theme.ink,
        )
        top -= AROUND + height
        for profile in group.profiles:
            left = NAMES + sizes.index(profile.size) * wide
            axes = figure.add_axes((left, top / whole, 0.92 * wide, height / whole))
            named = profile is group.profiles[0]
            _panel(axes, profile, group.phases, theme, named)
    return figure


def _panel(
    axes: Axes, profile: Profile, phases: Sequence[str], theme: Theme, named: bool
) -> None:
    axes.set_facecolor(theme.paper)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xticks([])
    axes.set_yticks(range(len(phases)), phases if named else [])
    axes.tick_params(length=0, labelsize=8.5, colors=theme.ink)
    title = f"{profile.size} px: {formats.milliseconds(profile.seconds)} ms"
    axes.set_title(title, loc="left", fontsize=9, color=theme.faint)
    longest = 0.0
    for row, name in enumerate(phases):
        steps = profile.phases.get(name, [])
        seconds, floor = profiles.lasted(steps), profile.floor(steps).seconds
        longest = max(longest, seconds, floor)
        axes.barh(row, seconds, 0.62, color=theme.series[0])
        axes.plot(
            [floor, floor], [row - 0.42, row + 0.42], color=theme.series[1], linewidth=2
        )
        axes.annotate(
            formats.milliseconds(seconds) if steps else "",
            (max(seconds, floor), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=theme.faint,
        )
    axes.set_xlim(0, longest * ROOM)
    axes.set_ylim(len(phases) - 0.4, -0.6)
