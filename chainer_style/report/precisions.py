"""What ``benchmarks/precision.py`` measured: float32 beside bfloat16."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from chainer_style import networks
from chainer_style.errors import UserError

FILE = Path("benchmarks") / "precision" / "precision.json"
"""The record, below its machine's."""

FORMAT = 1


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
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']}, not {FORMAT}")
        return [Row(**row) for row in document["rows"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is not a record: {error}") from None
