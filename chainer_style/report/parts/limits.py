"""The 512 pixels that dumped core: predicted and measured memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainer_style.experiments.limits import (
    CARDS,
    GIB,
    LIMITED,
    VERSIONS,
    Held,
    LimitCell,
    LimitRecord,
    predicted,
)
from chainer_style.paper import Column
from chainer_style.report import formats, rst
from chainer_style.report.machines import Machine

COLUMNS: tuple[Column, ...] = ("CPU", "GPU")

SIZES = (64, 128, 256, 435, 512)
"""Predicted whether measured or not, in pixels; 435 is the program's default."""

Records = Mapping[LimitCell, LimitRecord]


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return the tables, and what of the card follows from the predictions."""
    fits = {
        gib: [s for s in SIZES if predicted(_cell(s, "1.5")) <= gib * GIB]
        for gib in CARDS
    }
    return {
        "cards": CARDS,
        "fits": fits,
        "peaks": peaks(machines),
        "limited": limited(machines),
        "versions": VERSIONS,
        "need": lambda size, held: predicted(_cell(size, held)),
    }


def _cell(size: int, held: Held, gib: int | None = None) -> LimitCell:
    return LimitCell(size, held, gib, "CPU")


def peaks(machines: Sequence[Machine]) -> str:
    """Return predicted beside measured peak memory, size by size."""
    shown = [(m, c) for m in machines for c in COLUMNS if _measured(m, c)]
    head = ["Memory of", "Size", "Predicted"]
    head += [f"{rst.escaped(m.hardware)}, {column}" for m, column in shown]
    rows = []
    for held in VERSIONS:
        for size in SIZES:
            need = predicted(_cell(size, held))
            row = [f"Chainer {held}", f"{size} px", formats.mebibytes(need)]
            for machine, column in shown:
                record = machine.of("limits").get(LimitCell(size, held, None, column))
                row.append(_peak(record))
            rows.append(row)
    title = "Peak memory of VGG-16 under protocol 2016: arrays, without the libraries."
    return rst.table(head, rows, title, "numbers")


def _measured(machine: Machine, column: Column) -> bool:
    records = machine.of("limits").values()
    return any(r.measured and r.cell.column == column for r in records)


def _peak(record: LimitRecord | None) -> str:
    if record is None:
        return "—"
    if record.reason or record.failed:
        return rst.escaped(record.reason or record.failed)
    return formats.mebibytes(record.data_bytes or 0)


def limited(machines: Sequence[Machine]) -> str:
    """Return what became of the runs within the card's memory."""
    shown = [(m, c) for m in machines for c in COLUMNS if m.of("limits")]
    head = ["Memory of", "Size", "Within"]
    head += [f"{rst.escaped(m.hardware)}, {column}" for m, column in shown]
    rows = []
    for held, sizes in LIMITED.items():
        for size in sizes:
            for gib in CARDS:
                row = [f"Chainer {held}", f"{size} px", f"{gib} GiB"]
                row = [cell.replace(" ", "\N{NO-BREAK SPACE}") for cell in row]
                for machine, column in shown:
                    cell = LimitCell(size, held, gib, column)
                    row.append(_outcome(machine.of("limits").get(cell)))
                rows.append(row)
    if not shown:
        return ""
    return rst.table(head, rows, "The same runs within the memory of the card.")


def _outcome(record: LimitRecord | None) -> str:
    if record is None:
        return "no record of it"
    if record.reason:
        return rst.escaped(f"not measured: {record.reason}")
    if record.failed:
        return f"**failed**: {rst.escaped(record.ending)}"
    return f"ran, {formats.milliseconds(record.median)} ms per iteration"
