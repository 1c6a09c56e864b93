"""What ``benchmarks/cpu.py`` measured: programs that optimise the same picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any, Literal

from chainer_style import networks
from chainer_style.experiments.ceilings import Run
from chainer_style.report import arithmetic, cells

FOLDER = Path("benchmarks") / "cpu"
"""Of the records, below their machine's."""

FORMAT = 1

OF_2016 = "chainer-2016"
"""The contender that does what the paper's program did."""

Family = Literal["chainer", "pytorch", "own"]


@dataclass(frozen=True)
class Entry:
    """What one contender did.

    Attributes
    ----------
    name, title
        To ask for it, and to print.
    family
        Chainer, PyTorch, or this package's own engines.
    reason
        Why it has no times; None where it has.
    turns
        Seconds of every iteration, turn by turn. The first of a turn is left out
        wherever there are more: it finds the caches full of what others did.
    idle_seconds
        Processor seconds that its process took while others had their turns.
    loss_deviation, gradient_deviation
        At the picture to start from, relative, against float64.
    peak_memory_bytes
        Of a whole process that does nothing else; None where it is not known.
    """

    name: str
    title: str
    family: Family
    reason: str | None = None
    turns: Sequence[Sequence[float]] = ()
    idle_seconds: Sequence[float] = ()
    loss_deviation: float | None = None
    gradient_deviation: float | None = None
    peak_memory_bytes: int | None = None

    @property
    def measured(self) -> bool:
        """Whether it has times."""
        return self.reason is None

    @property
    def seconds(self) -> float:
        """Seconds of an iteration: the median over the turns of each one's mean."""
        return median(fmean(turn[1:] or turn) for turn in self.turns)


@dataclass(frozen=True)
class Contest:
    """One network, size and number of threads.

    Attributes
    ----------
    network
        Name of the network.
    size
        Side of the square picture in pixels.
    threads
        How many every contender used.
    entries
        By contender's name, in their order.
    ceiling
        Matrix products and streams with as many threads.
    environment
        See `chainer_style.provenance.environment`.
    ended
        UTC date and time in ISO 8601.
    """

    network: str
    size: int
    threads: int
    entries: Mapping[str, Entry]
    ceiling: Sequence[Run]
    environment: Mapping[str, Any]
    ended: str

    @property
    def flops(self) -> int:
        """Operations of one iteration, as `arithmetic.transfer_flops` counts them."""
        network = arithmetic.network_of_2016(self.network)
        return arithmetic.transfer_flops(network, self.size, self.size)

    @property
    def ceiling_flops_per_second(self) -> float:
        """The most operations per second that a matrix product did."""
        return max(run.best for run in self.ceiling if run.kind == "product")

    @property
    def measured(self) -> list[Entry]:
        """Those with times."""
        return [entry for entry in self.entries.values() if entry.measured]

    def flops_per_second(self, entry: Entry) -> float:
        """Return the counted operations over the measured seconds."""
        return self.flops / entry.seconds

    def share(self, entry: Entry) -> float:
        """Return what that is of the matrix product's ceiling."""
        return self.flops_per_second(entry) / self.ceiling_flops_per_second

    def best(self, family: Family) -> Entry | None:
        """Return the fastest of a family, or None where none was measured."""
        own = [entry for entry in self.measured if entry.family == family]
        return min(own, key=lambda entry: entry.seconds, default=None)

    @property
    def of_2016(self) -> Entry | None:
        """Return the loop of 2016, or None where it was not measured."""
        entry = self.entries.get(OF_2016)
        return entry if entry and entry.measured else None


@dataclass(frozen=True)
class Group:
    """Sizes of one network with one number of threads.

    Attributes
    ----------
    contests
        By size.
    """

    contests: Sequence[Contest]

    @property
    def network(self) -> str:
        """Name of the network."""
        return self.contests[0].network

    @property
    def threads(self) -> int:
        """How many every contender used."""
        return self.contests[0].threads

    @property
    def title(self) -> str:
        """What it is, to print."""
        return cells.title(self.contests[0])

    def titles(self, family: Family | None = None) -> dict[str, str]:
        """Return titles of all contenders that were measured, by name."""
        return {
            entry.name: entry.title
            for contest in self.contests
            for entry in contest.measured
            if family in (None, entry.family)
        }


def groups(contests: Sequence[Contest]) -> list[Group]:
    """Put contests together that differ in size alone."""
    return [Group(own) for own in cells.by_size(contests)]


def ratio(slower: Entry | None, faster: Entry) -> float | None:
    """Return how many times as fast one is as another; None without the other."""
    return None if slower is None else slower.seconds / faster.seconds


def load(path: Path) -> Contest:
    """Read a record.

    Raises
    ------
    UserError
        If the file is no such record.
    """
    return cells.load(path, _contest)


def read(machine: Path) -> tuple[list[Contest], list[str]]:
    """Return what a machine's folder of records holds, by network, threads and size.

    Parameters
    ----------
    machine
        The folder.

    Returns
    -------
    contests
        What could be read.
    skipped
        One line for each file that could not.
    """
    return cells.read(machine / FOLDER, load)


def _contest(document: Mapping[str, Any]) -> Contest:
    if document["format"] != FORMAT:
        raise ValueError(f"it is of format {document['format']}, not {FORMAT}")
    entries = {entry["name"]: _entry(entry) for entry in document["contenders"]}
    contest = Contest(
        **document["cell"],
        entries=entries,
        ceiling=tuple(Run(**run) for run in document["ceiling"]),
        environment=document["environment"],
        ended=document["ended"],
    )
    networks.get(contest.network)
    return contest


def _entry(document: Mapping[str, Any]) -> Entry:
    known = document.keys() & Entry.__dataclass_fields__.keys()
    entry = Entry(**{name: document[name] for name in known})
    if entry.measured and not (entry.turns and all(entry.turns)):
        raise ValueError(f"{entry.name} lacks times")
    return entry
