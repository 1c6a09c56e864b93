"""Why today's Tables 4 and 5 differ from the paper's, and what is odd in those."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chainer_style.paper import Column
from chainer_style.report import comparison, explain, formats, rst
from chainer_style.report.explain import Explanation
from chainer_style.report.machines import Machine

DEVICES: tuple[Column, ...] = ("CPU", "GPU")
"""What the paper prints numbers of."""

NOBODY = Machine("", Path(), {})
"""A machine without records: what follows from the paper's numbers alone."""


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return the figures behind the sentences, of the leading machine."""
    machine = machines[0] if machines else NOBODY
    why = Explanation(machine)
    return {
        "machine": machine,
        "hardware": machine.hardware if machines else "",
        "why": why,
        "cell": comparison.title,
        "cite": cite,
        "rates": rates(why),
        "slowdowns": slowdowns(why),
        "arithmetic": arithmetic(why),
    }


def cite(*names: str) -> str:
    """Return links to sources, in brackets."""
    return f"({', '.join(rst.link(*explain.SOURCES[name]) for name in names)})"


def rates(why: Explanation) -> str:
    """Return each column of the paper as the one rate that it seems to be."""
    head = [
        "Column",
        "Iterations per minute",
        "An iteration, ms",
        "Largest deviation of a row",
        f"{why.last_printed} iterations take",
        "Fits to the last digit",
    ]
    rows = [
        [
            comparison.title(column.cell),
            f"{column.rate:.2f}",
            formats.milliseconds(column.seconds),
            f"{column.deviation:.2f}",
            f"{formats.clock(column.minutes_for(why.last_printed))} min",
            "{} in {} min".format(*column.whole) if column.whole else "—",
        ]
        for column in why.columns
    ]
    title = "Each column of the paper as one rate, from its last row."
    return rst.table(head, rows, title, "numbers")


def slowdowns(why: Explanation) -> str:
    """Return how much slower VGG gets with the size, beside its arithmetic."""
    head = ["Sizes", "Arithmetic"]
    today = why.machine.rates
    for column in DEVICES:
        head.append(f"The paper, {column}")
        head += [f"Today, {column}"] if today else []
    rows = []
    for small, large in itertools.combinations(why.sizes, 2):
        row = [f"{small} → {large} px", formats.plain(why.more_work(small, large))]
        for column in DEVICES:
            found = why.slower(small, large, column)
            row.append(_plain(found.paper))
            row += [_plain(found.today)] if today else []
        rows.append(row)
    title = "How many times more: the arithmetic of an iteration, and its time."
    return rst.table(head, rows, title, "numbers")


def arithmetic(why: Explanation) -> str:
    """Return operations and operations per second of every cell."""
    head = ["Cell", "GFLOP per iteration", "The paper, GFLOP/s"]
    today = why.machine.rates
    head += ["Today, GFLOP/s"] if today else []
    rows = []
    for cell, flops, paper, now in why.arithmetic:
        row = [comparison.title(cell), _giga(flops), _giga(paper)]
        rows.append([*row, _giga(now)] if today else row)
    title = "Effective arithmetic, forward and back to the picture."
    return rst.table(head, rows, title, "numbers")


def _plain(value: float | None) -> str:
    return "—" if value is None else formats.plain(value)


def _giga(value: float | None) -> str:
    return _plain(None if value is None else value / 1e9)
