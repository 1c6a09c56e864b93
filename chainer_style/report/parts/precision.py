"""What ``--precision bf16`` gains on the CPU, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chainer_style.report import formats, precisions, rst
from chainer_style.report.machines import Machine
from chainer_style.report.parts import benchmark
from chainer_style.report.precisions import Row


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""
    return shown(machines, precisions.FILE)


def shown(machines: Sequence[Machine], file: Path) -> dict[str, Any]:
    """Return what the template prints of one of the records."""
    return benchmark.context(
        machines, file, precisions.read_rows, lambda _, rows: [table(rows)]
    )


def table(rows: Sequence[Row]) -> str:
    """Return a table of a machine's rows."""
    exact = {(r.network, r.size): r for r in rows if r.precision == "float32"}
    cells = [
        [
            row.title,
            formats.milliseconds(row.seconds),
            f"{exact[row.network, row.size].seconds / row.seconds:.2f}",
            f"{row.loss_deviation:.0e}",
            f"{row.gradient_deviation:.0e}",
            f"{row.apart:.2f} of {row.moved:.1f}",
        ]
        for row in rows
    ]
    head = ["", "ms", "times as fast", "loss", "gradient", "picture"]
    title = (
        "An iteration in each precision; relative deviation of loss and gradient at "
        "the start; mean difference of the picture at the end from that of float32, "
        "in grey levels, of what it moved from the start."
    )
    return rst.table(head, cells, title, kind="numbers")
