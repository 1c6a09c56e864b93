"""The paper's numbers beside those of the records: what every table is made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chainer_style import added, networks
from chainer_style.paper import ITERATIONS, MINUTES, Cell
from chainer_style.report.machines import Machine

LEFT_OUT = "left out of the table: 'GPU mode only' was faster"
"""Why the paper has no cuDNN columns, in its own words."""

CORE_DUMPING = "“core dumping”"
"""What the paper says of 512 px and above."""


def paper_lacks(cell: Cell) -> str | None:
    """Return why the paper prints no numbers of a cell, or None where it does."""
    if cell in ITERATIONS:
        return None
    if added.is_added(cell):
        return added.NOT_THE_PAPERS
    return LEFT_OUT if cell.column == "cuDNN" else CORE_DUMPING


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of a table: a cell after so many minutes.

    Attributes
    ----------
    cell, minute
        Which one.
    paper
        Iterations as the paper prints them; None where it prints none.
    today
        Iterations from the record; None where there is no time.
    counted
        Whether today's were counted; otherwise they are the median rate times
        the minutes.
    reason
        Why there is nothing from today.
    """

    cell: Cell
    minute: int
    paper: float | None
    today: float | None
    counted: bool
    reason: str | None

    @property
    def ratio(self) -> float | None:
        """Today's iterations over the paper's."""
        if self.today is None or self.paper is None:
            return None
        return self.today / self.paper


def entries(cell: Cell, machine: Machine | None) -> Iterator[Entry]:
    """Yield a cell's entries, minute by minute; without a machine, the paper's."""
    printed = ITERATIONS.get(cell, (None,) * len(MINUTES))
    record = machine.measured(cell) if machine else None
    for minute, paper in zip(MINUTES, printed, strict=True):
        today, counted = record.iterations_after(minute) if record else (None, False)
        reason = machine.reason(cell) if machine else None
        yield Entry(cell, minute, paper, today, counted, reason)


def row_title(network: str, size: int) -> str:
    """Name a group of columns: network and size."""
    return f"{networks.get(network).title}, {size} px"


def title(cell: Cell) -> str:
    """Name a cell."""
    return f"{row_title(cell.network, cell.size)}, {added.heading(cell)}"
