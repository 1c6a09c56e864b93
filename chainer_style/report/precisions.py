"""What ``benchmarks/precision.py`` measured: float32 beside other precisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chainer_style import networks
from chainer_style.report import cells

FILE = Path("benchmarks") / "precision" / "precision.json"
"""The record, below its machine's."""

ON_CARD = Path("benchmarks") / "gpu_precision" / "precision.json"
"""That of a card."""


@dataclass(frozen=True)
class Row:
    """One network at one size in one precision.

    Attributes
    ----------
    network, size, precision
        Which.
    seconds
        Of an iteration: the median.
    loss_deviation, gradient_deviation
        At the start, relative, from Chainer's in double precision.
    apart
        Mean difference of the picture at the end from that of float32, in grey levels.
    moved
        Mean difference of the picture of float32 from the start.
    """

    network: str
    size: int
    precision: str
    seconds: float
    loss_deviation: float
    gradient_deviation: float
    apart: float
    moved: float

    @property
    def title(self) -> str:
        """What it is, to print."""
        return f"{networks.get(self.network).title} {self.size} px, {self.precision}"


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a record.

    Raises
    ------
    UserError
        If the file is no such record.
    """
    return cells.read_rows(path, Row)
