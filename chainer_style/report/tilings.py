"""What ``benchmarks/tiling.py`` measured: pictures in tiles beside whole ones."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chainer_style.report import cells

FILE = Path("benchmarks") / "tiling" / "tiling.json"
"""The record, below its machine's."""


@dataclass(frozen=True)
class Row:
    """One network at one size, cut in one way.

    Attributes
    ----------
    network, size, threads
        Which.
    side
        Pixels of a tile; None: the picture is computed as a whole.
    again
        How many taps' features are computed anew on the way back.
    turns
        Seconds of an iteration: the mean of each turn. Rows of one network and size
        took turns, and so those of one number belong together.
    """

    network: str
    size: int
    threads: int
    side: int | None
    again: int
    turns: Sequence[float]

    @property
    def title(self) -> str:
        """What it is, to print."""
        cut = f"tiles of {self.side} px" if self.side else "as a whole"
        anew = f", {self.again} taps computed anew" if self.again else ""
        return f"{cells.title(self)}, {self.size} px, {cut}{anew}"

    @property
    def seconds(self) -> float:
        """Of an iteration: the median of the turns."""
        return statistics.median(self.turns)

    @property
    def seconds_per_megapixel(self) -> float:
        """Of an iteration, per million pixels."""
        return self.seconds / self.size**2 * 1e6


def times(row: Row, rows: Iterable[Row]) -> float | None:
    """Return how many times as long as the whole it takes: the median over rounds.

    None for the whole itself, and where that was not measured.
    """
    place = (row.network, row.size, row.threads)
    for other in rows:
        same = (other.network, other.size, other.threads) == place
        if same and other.side is None and row.side is not None:
            return cells.ratio(row.turns, other.turns)
    return None


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a record.

    Raises
    ------
    UserError
        If the file is no such record.
    """
    return cells.read_rows(path, Row)
