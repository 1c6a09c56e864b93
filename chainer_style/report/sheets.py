"""The numbers as CSV files, for whoever wants to compute with them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from chainer_style import added
from chainer_style.paper import ITERATIONS, MINUTES, Cell, RateTable
from chainer_style.report.arithmetic import flops_per_second, iteration_flops
from chainer_style.report.comparison import (
    Entry,
    entries,
    paper_lacks,
)
from chainer_style.report.machines import Machine, weights_label

TABLE_FIELDS = (
    "table",
    "machine",
    "network",
    "size",
    "column",
    "minute",
    "paper",
    "today",
    "counted",
    "ratio",
    "weights",
    "reason",
)

RATE_FIELDS = (
    "machine",
    "network",
    "size",
    "column",
    "paper_iterations_per_minute",
    "iterations_per_minute",
    "median_ms",
    "p10_ms",
    "p90_ms",
    "measured",
    "dropped",
    "peak_memory_bytes",
    "gflop_per_iteration",
    "gflop_per_second",
    "weights",
    "started",
    "commit",
    "reason",
)


def table_csv(table: RateTable, machines: Sequence[Machine]) -> str:
    """Return a table as CSV, one row per machine, cell and minute.

    Where a number is missing, ``reason`` says why.
    """
    rows = (
        _entry(table, machine, entry)
        for machine in machines
        for cell in added.cells(table)
        for entry in entries(cell, machine)
    )
    return _csv(TABLE_FIELDS, rows)


def _entry(table: RateTable, machine: Machine, entry: Entry) -> Sequence[object]:
    cell, record = entry.cell, machine.measured(entry.cell)
    reasons = []
    if lacking := paper_lacks(cell):
        reasons.append(f"paper: {lacking}")
    if reason := machine.reason(cell, table):
        reasons.append(f"not measured: {reason}")
    return (
        table.number,
        machine.name,
        cell.network,
        cell.size,
        cell.name,
        entry.minute,
        entry.paper,
        entry.today,
        str(entry.counted).lower(),
        entry.ratio,
        weights_label(record) if record else None,
        "; ".join(reasons),
    )


def rates_csv(machines: Iterable[Machine]) -> str:
    """Return every cell of every machine as CSV, one row each."""
    rows = (_rate(machine, cell) for machine in machines for cell in machine.cells)
    return _csv(RATE_FIELDS, rows)


def _rate(machine: Machine, cell: Cell) -> Sequence[object]:
    printed = ITERATIONS.get(cell)
    paper = printed[-1] / MINUTES[-1] if printed else None
    head = (machine.name, cell.network, cell.size, cell.name, paper)
    record = machine.measured(cell)
    if record is None:
        reason = f"not measured: {machine.reason(cell)}"
        return (*head, *[None] * (len(RATE_FIELDS) - len(head) - 1), reason)
    low, high = record.spread
    return (
        *head,
        record.rate,
        1000 * record.median,
        1000 * low,
        1000 * high,
        len(record.kept),
        record.dropped,
        record.peak_memory_bytes,
        iteration_flops(cell) / 1e9,
        flops_per_second(record) / 1e9,
        weights_label(record),
        record.started,
        record.environment["commit"],
        None,
    )


def _csv(fields: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows(rows)
    return out.getvalue()
