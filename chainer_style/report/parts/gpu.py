"""How fast it is on a GPU: Chainer, PyTorch and engine ``cuda``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainer_style import networks
from chainer_style.report import formats, races, rst
from chainer_style.report.machines import Machine
from chainer_style.report.races import Entry, Group, Race

NOTHING = "—"
"""Stands where nothing was measured."""

SOFTWARE = {
    "Python": "Python",
    "chainer_style": "chainer_style",
    "chainer": "Chainer",
    "cupy": "CuPy",
    "torch": "PyTorch",
    "nvidia-cudnn-cu13": "cuDNN",
    "nvidia-cudnn-cu12": "cuDNN",
    "nvidia-cublas": "cuBLAS",
    "nvidia-cublas-cu12": "cuBLAS",
}
"""Whose versions are told, and how they are written."""


@dataclass(frozen=True)
class View:
    """A machine with records of ``benchmarks/gpu.py``.

    Attributes
    ----------
    races
        The records, by network, precision and size.
    skipped
        One line for each file that could not be used.
    """

    races: Sequence[Race]
    skipped: Sequence[str]

    @property
    def card(self) -> str:
        """The card, and what drives it."""
        card = self.races[0].environment["gpu"] or {}
        parts = [card.get("name", "no card")]
        if driver := self.races[0].card.get("driver"):
            parts.append(f"driver {driver}")
        if watts := self.races[0].card.get("power_limit_milliwatts"):
            parts.append(f"{watts / 1000:.0f} W at most")
        return ", ".join(parts)

    @property
    def made(self) -> str:
        """When it was measured, and with which versions."""
        return made(self.races)

    @property
    def groups(self) -> list[Group]:
        """The records with times, those of one table together."""
        return races.groups([race for race in self.races if race.measured])

    @property
    def deviations(self) -> str:
        """The largest deviations from double precision, of every contender."""
        worst: dict[tuple[str, str], list[Entry]] = {}
        for race in self.races:
            for entry in race.measured:
                worst.setdefault((entry.title, entry.precision), []).append(entry)
        rows = [
            [
                rst.escaped(title),
                precision,
                _worst(entry.loss_deviation for entry in entries),
                _worst(entry.gradient_deviation for entry in entries),
            ]
            for (title, precision), entries in worst.items()
        ]
        title = "Largest relative deviation from double precision, of all cells."
        return rst.table(["", "in", "Loss", "Gradient"], rows, title, "numbers")

    @property
    def missing(self) -> Iterator[str]:
        """Who was not measured where, and why."""
        found: dict[tuple[str, str], list[str]] = {}
        for race in self.races:
            for entry in race.entries.values():
                if not entry.measured:
                    places = found.setdefault((entry.title, str(entry.reason)), [])
                    title = networks.get(race.network).title
                    places.append(f"{title} at {race.size} px in {race.precision}")
        for (who, reason), places in found.items():
            where = formats.listing(places)
            yield f"{rst.escaped(who)}, {where} ({rst.escaped(reason)})"


def made(found: Sequence[Any]) -> str:
    """Return when records were made, and with which versions."""
    days = sorted({one.ended[:10] for one in found})
    when = " to ".join(dict.fromkeys((days[0], days[-1])))
    versions: dict[str, set[str]] = {}
    for one in found:
        software: Mapping[str, str] = {
            "Python": one.environment["python"],
            "chainer_style": one.environment["chainer_style"],
            **one.environment["libraries"],
        }
        for name in software.keys() & SOFTWARE.keys():
            versions.setdefault(name, set()).add(software[name])
    named = [
        f"{SOFTWARE[name]} {' and '.join(sorted(versions[name]))}"
        for name in SOFTWARE
        if name in versions
    ]
    return f"{when}; {', '.join(named)}"


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""
    views = []
    for machine in machines:
        found, skipped = races.read(machine.folder)
        if found or skipped:
            views.append(View(found, skipped))
    return {
        "views": views,
        "targets": targets,
        "times": times,
        "per_second": per_second,
        "rates": rates,
        "ratios": ratios,
        "memory": memory,
        "held": held,
        "ceiling": ceiling,
    }


def targets(view: View) -> str:
    """Return a table of what the package's engine is to reach, and what it does."""
    rows = []
    for race in view.races:
        for target in races.targets(race) if race.measured else ():
            where = f"{networks.get(race.network).title}, {race.size} px"
            bound = f"{'≤' if target.most else '≥'} {target.asked:g}"
            reached = target.reached
            found = NOTHING if reached is None else formats.plain(reached)
            rows.append(
                [where, race.precision, target.what, bound, found, target.verdict]
            )
    if not rows:
        return ""
    head = ["", "in", "", "asked for", "found", ""]
    title = "What was asked of this package's engine, and what was measured."
    return rst.table(head, rows, title)


def times(group: Group) -> str:
    """Return a table of the milliseconds of an iteration."""
    title = f"{group.title}: milliseconds of an iteration."
    return _table(group, title, lambda _, entry: formats.milliseconds(entry.seconds))


def per_second(group: Group) -> str:
    """Return a table of iterations per second."""
    title = f"{group.title}: iterations per second."
    return _table(group, title, lambda _, entry: formats.plain(1 / entry.seconds))


def rates(group: Group) -> str:
    """Return a table of operations per second, and of their share of the ceiling."""

    def cell(race: Race, entry: Entry) -> str:
        rate = formats.plain(race.flops_per_second(entry) / 1e12)
        share = race.share(entry)
        return rate if share is None else f"{rate} ({100 * share:.0f} %)"

    title = f"{group.title}: TFLOP/s, and their share of the fastest matrix product."
    return _table(group, title, cell)


def ratios(group: Group) -> str:
    """Return a table of how many times as fast as PyTorch everyone is."""

    def cell(race: Race, entry: Entry) -> str:
        eager = races.ratio(race.eager, entry)
        best = races.ratio(race.best("pytorch"), entry)
        found = (NOTHING if r is None else formats.plain(r) for r in (eager, best))
        return " / ".join(found)

    title = f"{group.title}: times as fast as PyTorch, eager / the best of PyTorch."
    return _table(group, title, cell)


def memory(group: Group) -> str:
    """Return a table of the most memory of the card that everyone took."""

    def cell(race: Race, entry: Entry) -> str:
        peak = race.peak(entry)
        return NOTHING if peak is None else f"{peak / 2**20:.0f}"

    title = f"{group.title}: most of the card's memory that a process took, MiB."
    return _table(group, title, cell)


def held(group: Group) -> str:
    """Return a table of the memory of the card that everyone held when set up."""

    def cell(race: Race, entry: Entry) -> str:
        found = entry.held_bytes
        return NOTHING if found is None else f"{found / 2**20:.0f}"

    title = f"{group.title}: what it held of the card's memory once it was set up, MiB."
    return _table(group, title, cell)


def ceiling(group: Group) -> str:
    """Return what a card reaches at most, in a group's precision."""
    first = group.races[0]
    product, stream = first.ceiling_flops_per_second, first.ceiling_bytes_per_second
    if product is None or stream is None:
        return f"{group.title}: the card's ceilings were not measured"
    return (
        f"{group.title}: a matrix product {formats.plain(product / 1e12)} TFLOP/s, "
        f"memory {formats.plain(stream / 1e9)} GB/s"
    )


def _table(group: Group, title: str, cell: Callable[[Race, Entry], str]) -> str:
    """Return a table with a row for every contender and a column for every size."""
    rows = []
    for name, who in group.titles().items():
        found = []
        for race in group.races:
            entry = race.entries.get(name)
            there = entry is not None and entry.measured
            found.append(cell(race, entry) if there and entry else NOTHING)
        rows.append([rst.escaped(who), *found])
    head = ["", *(f"{race.size} px" for race in group.races)]
    return rst.table(head, rows, title, "numbers")


def _worst(values: Iterator[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{max(known):.1e}" if known else NOTHING
