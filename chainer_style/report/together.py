"""What ``benchmarks/ranks.py`` measured: one rank of MPI beside several."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chainer_style import networks, protocols
from chainer_style.report import cells
from chainer_style.tiling.model import Link, Model

FILE = Path("benchmarks") / "ranks" / "ranks.json"
"""The record, below its machine's."""


@dataclass(frozen=True)
class Row:
    """One network at one size by one number of ranks.

    Attributes
    ----------
    network, size, ranks
        Which.
    threads
        Of each rank.
    turns
        Seconds of an iteration: the median of each turn. Rows of one network and size
        took turns.
    bandwidth, latency
        Of messages between neighbours; see `Link`.
    """

    network: str
    size: int
    ranks: int
    threads: int
    turns: Sequence[float]
    bandwidth: float
    latency: float

    @property
    def title(self) -> str:
        """What it is, to print."""
        count = "one rank" if self.ranks == 1 else f"{self.ranks} ranks"
        return f"{networks.get(self.network).title}, {self.size} px, {count}"

    @property
    def seconds(self) -> float:
        """Of an iteration: the median of the turns."""
        return statistics.median(self.turns)


def alone(row: Row, rows: Iterable[Row]) -> Row | None:
    """Return the row of one rank that a row of several took turns with."""
    place = (row.network, row.size, row.threads)
    for other in rows:
        if (other.network, other.size, other.threads) == place and other.ranks == 1:
            return other if row.ranks > 1 else None
    return None


def gain(row: Row, rows: Iterable[Row]) -> float | None:
    """Return how many times as fast as one rank several are: the median of rounds."""
    if (one := alone(row, rows)) is None:
        return None
    return cells.ratio(one.turns, row.turns)


def expected(row: Row, rows: Iterable[Row]) -> float | None:
    """Return the gain that the model predicts."""
    if (one := alone(row, rows)) is None:
        return None
    link = Link(row.bandwidth, row.latency)
    seconds = model(row.network, row.size).seconds(one.seconds, row.ranks, link)
    return None if seconds is None else one.seconds / seconds


@functools.cache
def model(network: str, height: int, width: int | None = None) -> Model:
    """Return the model of a picture under the losses of protocol 2016."""
    from chainer_style import transfer

    protocol = protocols.get("2016").with_options(model=network)
    own = transfer.network_for(protocol)
    return Model(own, height, width or height)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a record.

    Raises
    ------
    UserError
        If the file is no such record.
    """
    return cells.read_rows(path, Row)
