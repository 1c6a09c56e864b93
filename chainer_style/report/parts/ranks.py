"""What several ranks gain, and what a model of their work says of more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainer_style.report import formats, rst, together
from chainer_style.report.machines import Machine
from chainer_style.report.parts import benchmark
from chainer_style.report.together import Row
from chainer_style.tiling.model import Link

NOTHING = "—"
"""Stands where there is nothing to tell."""

FAR, COUNTS = 16384, (1, 8, 64, 256, 512)
"""Pixels of a large picture's side, and numbers of ranks that it is told for."""

CLUSTER = Link(bandwidth=1e9, latency=5e-5)
"""A gigabyte per second between ranks: that of an Ethernet of 10 Gbit/s, roughly."""


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""
    return benchmark.context(
        machines,
        together.FILE,
        together.read_rows,
        lambda _, rows: [measured(rows), foreseen(rows)],
    )


def measured(rows: Sequence[Row]) -> str:
    """Return a table of what was measured beside what the model expects."""
    cells = []
    for row in rows:
        gain, expected = together.gain(row, rows), together.expected(row, rows)
        if gain is None:
            continue
        one = together.alone(row, rows)
        assert one is not None
        cells.append(
            [
                row.title,
                f"{one.seconds:.2f}",
                f"{row.seconds:.2f}",
                f"{gain:.2f}",
                NOTHING if expected is None else f"{expected:.2f}",
                f"{100 * gain / row.ranks:.0f} %",
            ]
        )
    threads = formats.listing(sorted({str(row.threads) for row in rows}))
    title = (
        f"Seconds of an iteration with one rank and with all; how many times as fast "
        f"it is, and what the model expects. Threads of each rank: {threads}."
    )
    head = ["", "one rank", "all", "gain", "expected", "efficiency"]
    return rst.table(head, cells, title, "numbers")


def foreseen(rows: Sequence[Row]) -> str:
    """Return a table of what the model says of a large picture."""
    largest = max((r for r in rows if r.ranks == 1), key=lambda r: r.size, default=None)
    if largest is None:
        return ""
    alone = largest.seconds * (FAR / largest.size) ** 2
    model = together.model(largest.network, FAR)
    cells = []
    for count in COUNTS:
        seconds = model.seconds(alone, count, CLUSTER)
        if seconds is None:
            line = [str(count), "bands thinner than their margins", NOTHING]
        else:
            share = 100 * alone / seconds / count
            line = [str(count), f"{seconds:.1f}", f"{share:.0f} %"]
        cells.append(line)
    title = (
        f"Expected, not measured: {FAR}×{FAR} px by ranks as fast as the one at "
        f"{largest.size} px, {CLUSTER.bandwidth / 1e9:.0f} GB/s between them."
    )
    return rst.table(["ranks", "seconds", "efficiency"], cells, title, "numbers")
