"""One JSON record per cell of an experiment, with full provenance."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from chainer_style.errors import UserError
from chainer_style.files import make_folder, write_json
from chainer_style.paper import Cell

FORMAT = 1
"""Version of the record's layout."""


@dataclass(frozen=True)
class Record:
    """What became of one cell on one machine.

    Attributes
    ----------
    cell
        What was to be measured.
    reason
        Why it could not be; None where it was.
    seconds
        Raw wall-clock time of every iteration, first to last.
    dropped
        How many of the first iterations are left out of median and spread.
    peak_memory_bytes
        Highest resident memory while the cell iterated; on a GPU, of CuPy's
        memory pool.
    settings
        Network, weights, engine, protocol, seed and pictures.
    environment
        See `chainer_style.provenance.environment`.
    started
        UTC date and time in ISO 8601.
    """

    cell: Cell
    environment: dict[str, Any]
    started: str
    reason: str | None = None
    seconds: Sequence[float] = ()
    dropped: int = 0
    peak_memory_bytes: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def measured(self) -> bool:
        """Whether there is a time to show."""
        return self.reason is None

    @property
    def kept(self) -> Sequence[float]:
        """Seconds of the iterations behind the dropped ones."""
        return self.seconds[self.dropped :]

    @property
    def median(self) -> float:
        """Median seconds of an iteration."""
        return median(self.kept)

    @property
    def spread(self) -> tuple[float, float]:
        """The 10th and 90th percentile of an iteration's seconds."""
        if len(self.kept) < 2:
            return (self.median, self.median)
        tenths = quantiles(self.kept, n=10, method="inclusive")
        return tenths[0], tenths[-1]

    @property
    def rate(self) -> float:
        """Iterations per minute, from the median."""
        return 60 / self.median

    def iterations_after(self, minutes: int) -> tuple[float, bool]:
        """Return the iterations done after some minutes, and if they were counted.

        Counted from the first iteration on where the run lasted that long;
        otherwise the rate times the minutes.
        """
        end = 60 * minutes
        ends = list(itertools.accumulate(self.seconds))
        if ends and ends[-1] >= end:
            return sum(finished <= end for finished in ends), True
        return self.rate * minutes, False

    def as_document(self) -> dict[str, Any]:
        """Return the record as it stands in its file."""
        return {"format": FORMAT, **asdict(self)}


def save(record: Record, folder: Path) -> Path:
    """Write a record into its machine's folder and return its path."""
    folder = folder / record.environment["machine"]
    make_folder(folder)
    path = folder / f"{record.cell.key}.json"
    write_json(path, record.as_document())
    return path


def load(path: Path) -> Record:
    """Read a record.

    Raises
    ------
    UserError
        If the file is no record, or one of a later version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version = document.pop("format")
        if version > FORMAT:
            raise UserError(
                f"{path} is a record of format {version}; this version of "
                f"chainer_style reads up to {FORMAT}: update it"
            )
        return Record(**{**document, "cell": Cell(**document["cell"])})
    except UserError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} is not a record of an experiment: {error}") from None


def load_all(folder: Path) -> Iterator[Record]:
    """Yield every record below a folder, machine by machine."""
    for path in sorted(folder.glob("*/*.json")):
        yield load(path)
