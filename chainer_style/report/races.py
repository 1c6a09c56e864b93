"""What ``benchmarks/gpu.py`` measured: programs that optimise a picture on a card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from chainer_style import networks
from chainer_style.experiments.ceilings import Run
from chainer_style.report import arithmetic, cells, formats

FOLDER = Path("benchmarks") / "gpu"
"""Of the records, below their machine's."""

FORMAT = 1

EAGER = "torch-eager"
"""The contender that is PyTorch as one writes it."""

PRECISIONS = ("float32", "tf32", "fp16", "bf16")
"""In the order in which they are shown."""

SMALL, LARGE, LARGEST = 128, 512, 1024
"""Sizes up to which, from which on, and at which a target holds."""

Family = Literal["chainer", "pytorch", "own"]


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What was timed on a card.

    Attributes
    ----------
    reason
        Why it has no times; None where it has.
    iterations
        Of a turn.
    turns
        Seconds of each turn: the device was waited for before and behind it.
    loss_deviation, gradient_deviation
        At the picture to start from, relative.
    process_bytes, card_bytes
        The most of the card's memory that it took: what the driver said of its
        process, and by how much all that was taken grew. None where not known.
    held_bytes
        By how much it had grown when all was set up.
    set_up_seconds, first_seconds
        Of setting up, and of the first iterations.
    """

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
    def seconds(self) -> float:
        """Seconds of an iteration: the median over the turns."""
        return median(self.turns) / self.iterations


@dataclass(frozen=True)
class Entry(Timed):
    """What one contender did; deviations are from float64.

    Attributes
    ----------
    name, title
        To ask for it, and to print.
    family
        Chainer, PyTorch, or this package's own engines.
    precision
        That it computed in.
    """

    name: str
    title: str
    family: Family
    precision: str = "float32"


@dataclass(frozen=True)
class Race:
    """One network, size and precision.

    Attributes
    ----------
    network
        Name of the network.
    size
        Side of the square picture in pixels.
    precision
        What everyone computed in but stock Chainer.
    entries
        By contender's name, in their order.
    ceiling
        Matrix products in that precision, and streams.
    card
        What the driver tells of it.
    environment
        See `chainer_style.provenance.environment`.
    ended
        UTC date and time in ISO 8601.
    """

    network: str
    size: int
    precision: str
    entries: Mapping[str, Entry]
    ceiling: Sequence[Run]
    card: Mapping[str, Any]
    environment: Mapping[str, Any]
    ended: str

    @property
    def flops(self) -> int:
        """Operations of one iteration: direct convolutions, forward and back.

        Gram matrices do not count, although they take time.
        """
        network = arithmetic.network_of_2016(self.network)
        return 2 * network.flops(self.size, self.size)

    @property
    def ceiling_flops_per_second(self) -> float | None:
        """The most operations per second that a matrix product did."""
        products = [run.best for run in self.ceiling if run.kind == "product"]
        return max(products, default=None)

    @property
    def ceiling_bytes_per_second(self) -> float | None:
        """The most bytes per second that a stream moved."""
        streams = [run.best for run in self.ceiling if run.kind != "product"]
        return max(streams, default=None)

    @property
    def measured(self) -> list[Entry]:
        """Those with times."""
        return [entry for entry in self.entries.values() if entry.measured]

    def flops_per_second(self, entry: Entry) -> float:
        """Return the counted operations over the measured seconds."""
        return self.flops / entry.seconds

    def share(self, entry: Entry) -> float | None:
        """Return what that is of the matrix product's ceiling, in one precision."""
        ceiling = self.ceiling_flops_per_second
        if ceiling is None or entry.precision != self.precision:
            return None
        return self.flops_per_second(entry) / ceiling

    def of(self, family: Family) -> list[Entry]:
        """Return those of a family with times."""
        return [entry for entry in self.measured if entry.family == family]

    def best(self, family: Family) -> Entry | None:
        """Return the fastest of a family, or None where none was measured."""
        return min(self.of(family), key=lambda entry: entry.seconds, default=None)

    @property
    def eager(self) -> Entry | None:
        """PyTorch as one writes it, or None where it was not measured."""
        entry = self.entries.get(EAGER)
        return entry if entry and entry.measured else None

    @property
    def by_process(self) -> bool:
        """Whether the driver told of everyone's process what it took."""
        return all(entry.process_bytes is not None for entry in self.measured)

    def peak(self, entry: Entry) -> int | None:
        """Return the most memory that an entry took, by one measure for everyone."""
        return entry.process_bytes if self.by_process else entry.card_bytes


@dataclass(frozen=True)
class Target:
    """Something that the package's engine is to reach in one race.

    Attributes
    ----------
    what
        In words.
    asked
        A number that is to be reached: at least, or at most.
    most
        Whether it is a bound from above.
    reached
        What it is; None where it was not measured.
    """

    what: str
    asked: float
    most: bool
    reached: float | None

    @property
    def met(self) -> bool | None:
        """Whether it is reached; None where it was not measured."""
        if self.reached is None:
            return None
        return self.reached <= self.asked if self.most else self.reached >= self.asked

    @property
    def verdict(self) -> str:
        """The same in a word or two."""
        return {None: "not measured", True: "met", False: "missed"}[self.met]


def targets(race: Race) -> Iterator[Target]:
    """Yield what the package's fastest engine is to reach at a race's size."""
    own, eager = race.best("own"), race.eager
    others = [entry for entry in race.of("pytorch") if entry.name != EAGER]
    captured = min(others, key=lambda entry: entry.seconds, default=None)

    def faster(than: Entry | None) -> float | None:
        return ratio(than, own) if own else None

    if race.size <= SMALL:
        yield Target("times as fast as PyTorch, eager", 5, False, faster(eager))
        what = "times as fast as PyTorch’s graphs and compiler"
        yield Target(what, 1.2, False, faster(captured))
    if race.size >= LARGE:
        yield Target("times as fast as PyTorch, eager", 1.2, False, faster(eager))
    if race.size == LARGEST:
        share = race.share(own) if own else None
        yield Target("of the fastest matrix product", 0.6, False, share)
        least = [peak for e in race.of("pytorch") if (peak := race.peak(e))]
        mine = race.peak(own) if own else None
        part = mine / min(least) if mine and least else None
        yield Target("of PyTorch’s least memory", 0.5, True, part)


def ratio(slower: Entry | None, faster: Entry) -> float | None:
    """Return how many times as fast one is as another; None without the other."""
    return None if slower is None else slower.seconds / faster.seconds


@dataclass(frozen=True)
class Group:
    """Sizes of one network in one precision.

    Attributes
    ----------
    races
        By size.
    """

    races: Sequence[Race]

    @property
    def title(self) -> str:
        """What it is, to print."""
        first = self.races[0]
        return f"{networks.get(first.network).title}, {first.precision}"

    def titles(self) -> dict[str, str]:
        """Return titles of all contenders that were measured, by name."""
        return {
            entry.name: entry.title for race in self.races for entry in race.measured
        }


def groups(races: Sequence[Race]) -> list[Group]:
    """Put races together that differ in size alone."""
    found: dict[tuple[str, str], list[Race]] = {}
    for race in races:
        found.setdefault((race.network, race.precision), []).append(race)
    return [Group(own) for own in found.values()]


def load(path: Path) -> Race:
    """Read a record.

    Raises
    ------
    UserError
        If the file is no such record.
    """
    return cells.load(path, _race)


def read(machine: Path) -> tuple[list[Race], list[str]]:
    """Return what a machine's folder holds, by network, precision and size.

    Parameters
    ----------
    machine
        The folder.

    Returns
    -------
    races
        What could be read.
    skipped
        One line for each file that could not.
    """
    found, skipped = cells.gather(machine / FOLDER, load)
    order = list(networks.NETWORKS)
    found.sort(
        key=lambda r: (order.index(r.network), PRECISIONS.index(r.precision), r.size)
    )
    return found, skipped


def _race(document: Mapping[str, Any]) -> Race:
    if document["format"] != FORMAT:
        raise ValueError(f"it is of format {document['format']}, not {FORMAT}")
    race = Race(
        **document["cell"],
        entries={entry["name"]: _entry(entry) for entry in document["contenders"]},
        ceiling=tuple(Run(**run) for run in document["ceiling"]),
        card=document["card"],
        environment=document["environment"],
        ended=document["ended"],
    )
    networks.get(race.network)
    if race.precision not in PRECISIONS:
        raise ValueError(f"its precision is {race.precision}")
    return race


def _entry(document: Mapping[str, Any]) -> Entry:
    known = document.keys() & Entry.__dataclass_fields__.keys()
    entry = Entry(**{name: document[name] for name in known})
    if entry.measured and not (entry.iterations and entry.turns):
        raise ValueError(f"{entry.name} lacks times")
    return entry


def percent(share: float | None, without: str = "—") -> str:
    """Print a share; of what is not known, something else."""
    return without if share is None else f"{formats.plain(100 * share)} %"
