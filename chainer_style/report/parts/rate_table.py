"""Tables 4 and 5 with Figures 7 and 8, for the documentation.

The report draws the same tables by itself: HTML can do more than reStructuredText.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainer_style import themes
from chainer_style.paper import RateTable
from chainer_style.report import charts, grid, rst, tables
from chainer_style.report.machines import Machine


def of(table: RateTable) -> Callable[[Sequence[Machine]], dict[str, Any]]:
    """Return the function that makes the context of a table's part."""

    def context(machines: Sequence[Machine]) -> dict[str, Any]:
        return {
            "layout": grid.render(tables.layout(table, machines)),
            "charts": [chart(table, m) for m in machines if m.label(*table.rows)],
        }

    return context


def chart(table: RateTable, machine: Machine) -> str:
    """Return a table's chart for one machine, and how to read it."""
    key = " ".join(charts.key(table, machine))
    light, dark = (
        themes.save(charts.draw(table, machine, theme), "svg")
        for theme in (themes.LIGHT, themes.DARK)
    )
    caption = f"*Figure {table.figure}. {table.title}.* {rst.escaped(key)}"
    alt = f"Figure {table.figure}: iterations over minutes"
    return rst.picture(light, "svg+xml", alt, caption, dark=dark, classes="chart")
