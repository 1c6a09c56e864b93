"""What ``benchmarks/gpu_tiles.py`` measured: large pictures on a card."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chainer_style import networks
from chainer_style.report import cells
from chainer_style.report.races import Timed

FILE = Path("benchmarks") / "gpu_tiles" / "tiles.json"
"""The record, below its machine's."""


@dataclass(frozen=True)
class Row(Timed):
    """One picture, cut in one way; deviations are from those of the whole.

    Rows of one picture took turns, and so turns of one number belong together.

    Attributes
    ----------
    network, width, height, precision
        Which.
    side
        Pixels of a tile; None: it is computed as a whole.
    """

    network: str
    width: int
    height: int
    precision: str
    side: int | None

    @property
    def title(self) -> str:
        """What it is, to print."""
        return f"{self.computed}, {self.cut}"

    @property
    def computed(self) -> str:
        """Network and precision, to print."""
        return f"{networks.get(self.network).title}, {self.precision}"

    @property
    def cut(self) -> str:
        """Its size and its tiles, to print."""
        cut = f"tiles of {self.side} px" if self.side else "as a whole"
        return f"{self.width}×{self.height} px, {cut}"

    @property
    def picture(self) -> tuple[str, int, int, str]:
        """Which picture it is."""
        return self.network, self.width, self.height, self.precision

    @property
    def seconds_per_megapixel(self) -> float:
        """Of an iteration, per million pixels."""
        return self.seconds / (self.width * self.height) * 1e6

    @property
    def peak(self) -> int | None:
        """The most bytes of the card's memory that it took, as far as that is known."""
        return self.process_bytes or self.card_bytes


def times(row: Row, rows: Iterable[Row]) -> float | None:
    """Return how many times as long as the whole it takes: the median over rounds.

    None for the whole itself, and where that was not measured.
    """
    for other in rows:
        if other.picture == row.picture and other.side is None and row.side:
            if not (row.measured and other.measured):
                return None
            own, whole = (
                [seconds / each.iterations for seconds in each.turns]
                for each in (row, other)
            )
            return cells.ratio(own, whole)
    return None


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a record.

    Raises
    ------
    UserError
        If the file is no such record.
    """
    return cells.read_rows(path, Row)
