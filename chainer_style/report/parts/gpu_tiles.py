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
        machines, card_tiles.FILE, card_tiles.read_rows, lambda _, rows: tables(rows)
    )


def tables(rows: Sequence[Row]) -> list[str]:
    """Return a table for each network and precision."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.computed, []).append(row)
    return [table(title, own) for title, own in found.items()]


def table(computed: str, rows: Sequence[Row]) -> str:
    """Return a table of rows of one network and precision."""
    head = [
        *("", "ms", "per megapixel", "times the whole"),
        *("of memory", "loss", "gradient"),
    ]
    title = (
        f"{computed}: milliseconds of an iteration, and of a million of its pixels; "
        "what it took of the card's memory at most; how far tiles are off, relative."
    )
    cells = []
    for row in rows:
        if not row.measured:
            reason = f"not measured: {rst.escaped(row.reason or '')}"
            cells.append([row.cut, reason, *[""] * (len(head) - 2)])
            continue
        times = card_tiles.times(row, rows)
        off = row.loss_deviation, row.gradient_deviation
        cells.append(
            [
                row.cut,
                formats.milliseconds(row.seconds),
                formats.milliseconds(row.seconds_per_megapixel),
                NOTHING if times is None else f"{times:.2f}",
                NOTHING if row.peak is None else formats.gibibytes(row.peak),
                *(NOTHING if each is None else f"{each:.0e}" for each in off),
            ]
        )
    return rst.table(head, cells, title, "numbers")
