"""Large pictures on a card: as a whole, and in tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainer_style.report import card_tiles, formats, rst
from chainer_style.report.card_tiles import Row
from chainer_style.report.machines import Machine
from chainer_style.report.parts import benchmark

NOTHING = "—"
"""Stands where there is nothing to compare with."""


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""
    return benchmark.context(
        machines, card_tiles.FILE, card_tiles.read_rows, lambda _, rows: [table(rows)]
    )


def table(rows: Sequence[Row]) -> str:
    """Return a table of a machine's rows."""
    head = [
        *("", "ms", "per megapixel", "times the whole"),
        *("of memory", "loss", "gradient"),
    ]
    title = (
        "Milliseconds of an iteration, and of a million of its pixels; what the card's "
        "memory held at most; by how much tiles are off from the whole, relative."
    )
    cells = []
    for row in rows:
        if not row.measured:
            reason = f"not measured: {rst.escaped(row.reason or '')}"
            cells.append([row.title, reason, *[""] * (len(head) - 2)])
            continue
        times = card_tiles.times(row, rows)
        off = row.loss_deviation, row.gradient_deviation
        cells.append(
            [
                row.title,
                formats.milliseconds(row.seconds),
                formats.milliseconds(row.seconds_per_megapixel),
                NOTHING if times is None else f"{times:.2f}",
                NOTHING if row.peak is None else formats.gibibytes(row.peak),
                *(NOTHING if each is None else f"{each:.0e}" for each in off),
            ]
        )
    return rst.table(head, cells, title, "numbers")
