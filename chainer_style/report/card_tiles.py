"""What ``benchmarks/gpu_tiles.py`` measured: large pictures on a card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from chainer_style import networks
from chainer_style.report import cells

FILE = Path("benchmarks") / "gpu_tiles" / "tiles.json"
"""The record, below its machine's."""


@dataclass(frozen=True)
class Row:
    """One picture, cut in one way.

    Attributes
    ----------
    network, width, height, precision
        Which.
    side
        Pixels of a tile; None: it is computed as a whole.
    reason
        Why it has no times; None where it has.
    iterations
        Of a turn.
    turns
        Seconds of each turn. Rows of one picture took turns, and so those of one number
        belong together.
    loss_deviation, gradient_deviation
        Relative, from those of the whole picture at the one to start from.
    process_bytes, card_bytes, held_bytes, set_up_seconds, first_seconds
        See `chainer_style.report.races.Entry`.
    """

    network: str
    width: int
    height: int
    precision: str
    side: int | None
    reason: str | None = None
    iterations: int = 0
    turns: Sequence[float] = ()
    loss_deviation: float | None = None
    gradient_deviation: float | None = None
    process_bytes: int | None = None
    card_bytes: int | None = None
    held_bytes: int | None = None
    set_up_seconds: float | None = None
    first_seconds: float | None = None

    @property
    def measured(self) -> bool:
        """Whether it has times."""
        return self.reason is None

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
    def seconds(self) -> float:
        """Of an iteration: the median of the turns."""
        return median(self.turns) / self.iterations

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
