"""Where the time of an iteration goes on a GPU, kernel by kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainer_style.report import formats, kernels, rst
from chainer_style.report.kernels import Trace
from chainer_style.report.machines import Machine
from chainer_style.report.parts import gpu

NOTHING = "—"
"""Stands where a contender has no such kernels."""

LONGEST = 8
"""Kernels that are listed one by one."""


@dataclass(frozen=True)
class View:
    """A machine with records of ``benchmarks/gpu_kernels.py``.

    Attributes
    ----------
    traces
        What they hold, by network, precision and size.
    skipped
        One line for each file that could not be used.
    """

    traces: Sequence[Trace]
    skipped: Sequence[str]

    @property
    def card(self) -> str:
        """Its name."""
        card = self.traces[0].environment["gpu"] or {}
        return str(card.get("name", "no card"))

    @property
    def made(self) -> str:
        """When it was measured, and with which versions."""
        return gpu.made(self.traces)

    @property
    def by_contender(self) -> list[list[Trace]]:
        """Traces that one table shows: of one contender, network and precision."""
        found: dict[tuple[str, str, str], list[Trace]] = {}
        for trace in self.traces:
            key = trace.name, trace.network, trace.precision
            found.setdefault(key, []).append(trace)
        return list(found.values())


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""
    views = []
    for machine in machines:
        found, skipped = kernels.read(machine.folder)
        if found or skipped:
            views.append(View(found, skipped))
    return {"views": views, "table": table, "longest": longest}


def table(traces: Sequence[Trace]) -> str:
    """Return a table of kinds of work, with a column for every size."""

    def cell(trace: Trace, seconds: float | None) -> str:
        if seconds is None:
            return NOTHING
        share = 100 * seconds / trace.seconds
        return f"{formats.milliseconds(seconds)} ({share:.0f} %)"

    there = {name for trace in traces for name in trace.groups}
    rows = [
        [name, *(cell(trace, trace.groups.get(name)) for trace in traces)]
        for name in kernels.GROUPS
        if name in there
    ]
    rows.append([kernels.GAPS, *(cell(trace, trace.gaps) for trace in traces)])
    rows.append(["an iteration", *(cell(trace, trace.seconds) for trace in traces)])
    rows.append(["its kernels", *(f"{trace.launches:.0f}" for trace in traces)])
    head = ["", *(f"{trace.size} px" for trace in traces)]
    network, _, precision = traces[0].cell.split(", ")
    title = (
        f"{rst.escaped(traces[0].title)}, {network}, {precision}: milliseconds of each "
        "kind of work, and their share."
    )
    return rst.table(head, rows, title, "numbers")


def longest(traces: Sequence[Trace]) -> str:
    """Return a table of the longest kernels of the largest picture."""
    trace = traces[-1]
    rows = [
        [
            rst.literal(kernels.short(kernel.name)),
            kernel.group,
            f"{kernel.launches:g}",
            formats.plain(1e6 * kernel.seconds),
            f"{100 * kernel.seconds / trace.seconds:.0f} %",
        ]
        for kernel in trace.kernels[:LONGEST]
    ]
    head = ["", "kind", "launches", "µs", "share"]
    title = f"{rst.escaped(trace.title)}, {trace.cell}: the longest kernels."
    return rst.table(head, rows, title, "numbers")
