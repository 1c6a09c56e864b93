"""What tiles cost beside the picture as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainer_style.report import formats, rst, tilings
from chainer_style.report.machines import Machine
from chainer_style.report.parts import benchmark
from chainer_style.report.tilings import Row

NOTHING = "—"
"""Stands where there is nothing to compare with."""


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""
    return benchmark.context(
        machines, tilings.FILE, tilings.read_rows, lambda _, rows: [table(rows)]
    )


def table(rows: Sequence[Row]) -> str:
    """Return a table of a machine's rows."""
    cells = []
    for row in rows:
        times = tilings.times(row, rows)
        cells.append(
            [
                row.title,
                formats.plain(row.seconds),
                formats.plain(row.seconds_per_megapixel),
                NOTHING if times is None else f"{times:.2f}",
            ]
        )
    head = ["", "seconds", "per megapixel", "times the whole"]
    title = "Seconds of an iteration, and of a million of its pixels."
    return rst.table(head, cells, title, "numbers")
