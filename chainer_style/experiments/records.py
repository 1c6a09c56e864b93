"""One JSON record per cell of an experiment, with full provenance.

Records lie in ``results/MACHINE/EXPERIMENT/CELL.json``, beside the pictures that
their cells made.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from chainer_style.errors import UserError
from chainer_style.files import make_folder, write_json


class Cell(Protocol):
    """What is measured at once: a frozen dataclass of plain values."""

    @property
    def key(self) -> str:
        """Name of the cell in file names, unique within its experiment."""
        ...


C = TypeVar("C", bound=Cell)


def now() -> str:
    """Return the UTC date and time in ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Record(Generic[C]):
    """What became of one cell on one machine.

    Attributes
    ----------
    cell
        What was to be measured.
    environment
        See `chainer_style.provenance.environment`.
    started
        UTC date and time in ISO 8601.
    reason
        Why it could not be measured; None where it was.
    settings
        What ran: network, weights, batch, whatever the experiment has to say.
    """

    experiment: ClassVar[str]
    """Name of the experiment, and of the folder of its records."""
    format: ClassVar[int] = 2
    """Version of the record's layout."""
    cell_type: ClassVar[type[Any]]
    """Class of its cells."""

    cell: C
    environment: dict[str, Any]
    started: str = field(default_factory=now)
    reason: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def measured(self) -> bool:
        """Whether there is something to show."""
        return self.reason is None

    @property
    def machine(self) -> str:
        """Name of the machine, and of its folder."""
        return str(self.environment["machine"])

    def check(self) -> None:
        """Refuse a record that lacks what nothing is shown without.

        Raises
        ------
        ValueError
            Naming what is lacking.
        """

    def as_document(self) -> dict[str, Any]:
        """Return the record as it stands in its file."""
        return {"experiment": self.experiment, "format": self.format, **asdict(self)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the record of a document without experiment and format."""
        cell = cls.cell_type(**document["cell"])
        return cls(**{**document, "cell": cell})


@dataclass(frozen=True, kw_only=True)
class TimedRecord(Record[C]):
    """A record of something done again and again, each time timed.

    Attributes
    ----------
    seconds
        Raw wall-clock time of every iteration, first to last.
    dropped
        How many of the first iterations are left out of median and spread.
    peak_memory_bytes
        Highest resident memory while the cell iterated; on a GPU, of CuPy's
        memory pool.
    """

    seconds: Sequence[float] = ()
    dropped: int = 0
    peak_memory_bytes: int | None = None

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

    def check(self) -> None:
        """Refuse a measured record without times."""
        super().check()
        if self.measured and not self.kept:
            raise ValueError("it lacks times")


class _OtherVersionError(Exception):
    """A record of another version of the package."""


def save(record: Record[Any], results: Path) -> Path:
    """Write a record into its machine's folder and return its path."""
    folder = results / record.machine / record.experiment
    make_folder(folder)
    path = folder / f"{record.cell.key}.json"
    write_json(path, record.as_document())
    return path


def load(path: Path, kinds: Mapping[str, type[Record[Any]]]) -> Record[Any]:
    """Read a record.

    Parameters
    ----------
    path
        Its file.
    kinds
        Class of the records by experiment; see
        `chainer_style.experiments.catalogue.RECORDS`.

    Raises
    ------
    UserError
        If the file is no record, one of an experiment that is not known, or one of
        another version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version = document.pop("format")
        experiment = document.pop("experiment", "")
        kind = kinds.get(experiment)
        known = kind.format if kind else 2
        if version < known:
            raise _OtherVersionError(
                f"{path} is an older record, of format {version}; measure it again"
            )
        if version > known:
            raise _OtherVersionError(
                f"{path} is a record of format {version}; this version of "
                f"chainer_style reads format {known}: update it"
            )
        if kind is None:
            raise ValueError(f"no experiment has the name {experiment!r}")
        record = kind.from_document(document)
        record.check()
        return record
    except _OtherVersionError as error:
        raise UserError(str(error)) from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} is not a record: {error}") from None


def paths(results: Path) -> Iterator[Path]:
    """Yield what may be a record below a folder, machine by machine."""
    # A level higher lay those of format 1.
    yield from sorted([*results.glob("*/*.json"), *results.glob("*/*/*.json")])


def started(record: Record[Any], when: str) -> Record[Any]:
    """Return the record with another time of its start."""
    return dataclasses.replace(record, started=when)
