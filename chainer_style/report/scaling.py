"""What ``benchmarks/threads.py`` measured: one thread beside several."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chainer_style.report import cells

FILE = Path("benchmarks") / "threads" / "threads.json"
"""The record, below its machine's."""


@dataclass(frozen=True)
class Row:
    """One network at one size with one number of threads.

    Attributes
    ----------
    network, size, threads
        Which.
    turns
        Seconds of an iteration: the mean of each turn. Rows of one network and size
        took turns, and so those of one number belong together.
    """

    network: str
    size: int
    threads: int
    turns: Sequence[float]

    @property
    def title(self) -> str:
        """What it is, to print."""
        return f"{cells.title(self)}, {self.size} px"

    @property
    def seconds(self) -> float:
        """Of an iteration: the median of the turns."""
        return statistics.median(self.turns)


def gain(row: Row, rows: Iterable[Row]) -> float | None:
    """Return how many times as fast as one thread it is: the median over the rounds.

    None for one thread, and where one thread was not measured.
    """
    place = (row.network, row.size)
    for other in rows:
        if (other.network, other.size) == place and other.threads == 1 < row.threads:
            return cells.ratio(other.turns, row.turns)
    return None


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a record.

    Raises
    ------
    UserError
        If the file is no such record.
    """
    return cells.read_rows(path, Row)
