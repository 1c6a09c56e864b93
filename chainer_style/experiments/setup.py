"""Tables 2 and 3: how the machine is set up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from chainer_style.doctor.findings import Finding
from chainer_style.experiments.base import Experiment, Progress
from chainer_style.experiments.records import Record


@dataclass(frozen=True)
class Whole:
    """The one cell: the machine."""

    @property
    def key(self) -> str:
        """Name of the cell in file names."""
        return "machine"


@dataclass(frozen=True, kw_only=True)
class SetupRecord(Record[Whole]):
    """What `chainer_style.doctor` found.

    Attributes
    ----------
    findings
        In order.
    """

    experiment = "setup"
    cell_type = Whole

    findings: Sequence[Finding] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the record of a document without experiment and format."""
        found = tuple(Finding(**finding) for finding in document["findings"])
        return super().from_document({**document, "findings": found})

    def check(self) -> None:
        """Refuse a measured record without findings."""
        super().check()
        if self.measured and not self.findings:
            raise ValueError("it lacks findings")

    def value(self, section: str, what: str) -> str | None:
        """Return what was found of something that is there, else None."""
        for found in self.findings:
            if (found.section, found.what, found.state) == (section, what, "ok"):
                return found.value
        return None


@dataclass(frozen=True)
class Setup(Experiment[Whole]):
    """An examination of this machine."""

    record = SetupRecord

    def cells(self) -> tuple[Whole]:
        """Return the machine."""
        return (Whole(),)

    def title(self, cell: Whole) -> str:
        """Return a name to print."""
        return "Set-up"

    def estimate(self, cell: Whole) -> float:
        """Return the seconds that loading every library takes."""
        return 5

    def measure(self, cell: Whole, folder: Path, progress: Progress) -> SetupRecord:
        """Examine the machine."""
        from chainer_style import doctor

        record: SetupRecord = self.result(cell, findings=tuple(doctor.examine()))
        return record

    def summary(self, record: SetupRecord) -> str:
        """Return how much is there."""
        count = sum(found.state == "ok" for found in record.findings)
        missing = [f.what for f in record.findings if f.state == "missing"]
        words = f"{count} of {len(record.findings)} things are there"
        return f"{words}; missing: {', '.join(missing)}" if missing else words
