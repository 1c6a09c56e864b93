"""How fast it is: Chainer, PyTorch and this package, iteration by iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chainer_style import networks, themes
from chainer_style.report import contest, formats, rst, speeds
from chainer_style.report.contest import Contest, Entry, Group
from chainer_style.report.machines import Machine

NOTHING = "—"
"""Stands where nothing was measured."""


@dataclass(frozen=True)
class View:
    """A machine with records of ``benchmarks/cpu.py``.

    Attributes
    ----------
    hardware
        In words.
    contests
        The records, by network, threads and size.
    skipped
        One line for each file that could not be used.
    """

    hardware: str
    contests: Sequence[Contest]
    skipped: Sequence[str]

    @property
    def groups(self) -> list[Group]:
        """The records with times, those of one table together."""
        return contest.groups([found for found in self.contests if found.measured])

    @property
    def chart(self) -> str:
        """All of it at a glance."""
        light, dark = (
            themes.save(speeds.draw(self.groups, theme), "svg")
            for theme in (themes.LIGHT, themes.DARK)
        )
        return rst.picture(
            light,
            "svg+xml",
            "Operations per second over the size of the picture",
            "Counted operations of an iteration over its seconds; of each kind the "
            "fastest. Dashed: the fastest product of two matrices.",
            dark=dark,
            classes="chart",
        )

    @property
    def made(self) -> str:
        """When it was measured, and with which versions."""
        days = sorted({found.ended[:10] for found in self.contests})
        when = " to ".join(dict.fromkeys((days[0], days[-1])))
        versions: dict[str, set[str]] = {}
        for found in self.contests:
            software = {
                "Python": found.environment["python"],
                "chainer_style": found.environment["chainer_style"],
                **found.environment["libraries"],
            }
            for name in software.keys() & SOFTWARE.keys():
                versions.setdefault(name, set()).add(software[name])
        named = [
            f"{SOFTWARE[name]} {' and '.join(sorted(versions[name]))}"
            for name in SOFTWARE
            if name in versions
        ]
        return f"{when}; {', '.join(named)}"

    @property
    def headlines(self) -> Iterator[str]:
        """How much faster than its peers the package is, network by network."""
        for group in self.groups:
            for name, other in PEERS.items():
                ratios = [
                    ratio
                    for found in group.contests
                    if (own := found.best("own"))
                    and (ratio := contest.ratio(other(found), own))
                ]
                if ratios:
                    times = formats.span(ratios)
                    yield f"{group.title}: {times} times as fast as {name}."

    @property
    def memory(self) -> Iterator[str]:
        """One table of memory per network."""
        for network in dict.fromkeys(group.network for group in self.groups):
            own = [group for group in self.groups if group.network == network]
            fewest = min(own, key=lambda group: group.threads)
            title = f"{fewest.title}: most memory that a process took, MiB."
            yield _table(fewest, title, _mebibytes)

    @property
    def deviations(self) -> str:
        """The largest deviations from double precision, of every contender."""
        worst: dict[str, list[Entry]] = {}
        for found in self.contests:
            for entry in found.measured:
                worst.setdefault(entry.title, []).append(entry)
        rows = [
            [
                rst.escaped(title),
                _worst(entry.loss_deviation for entry in entries),
                _worst(entry.gradient_deviation for entry in entries),
            ]
            for title, entries in worst.items()
        ]
        title = "Largest relative deviation from double precision, of all cells."
        return rst.table(["", "Loss", "Gradient"], rows, title, "numbers")

    @property
    def missing(self) -> Iterator[str]:
        """Who was not measured where, and why."""
        found: dict[tuple[str, str], list[str]] = {}
        for own in self.contests:
            lacking = [entry for entry in own.entries.values() if not entry.measured]
            for entry in lacking:
                who = entry.title if own.measured else "everyone"
                where = f"{networks.get(own.network).title} at {own.size} px"
                places = found.setdefault((who, str(entry.reason)), [])
                if where not in places:
                    places.append(where)
        for (who, reason), places in found.items():
            where = formats.listing(places)
            yield f"{rst.escaped(who)}, {where} ({rst.escaped(reason)})"


SOFTWARE = {
    "Python": "Python",
    "chainer_style": "chainer_style",
    "chainer": "Chainer",
    "torch": "PyTorch",
    "numpy": "NumPy",
    "numba": "Numba",
}
"""Whose versions are told, and how they are written."""

PEERS: dict[str, Callable[[Contest], Entry | None]] = {
    "the best of PyTorch": lambda found: found.best("pytorch"),
    "the loop of 2016": lambda found: found.of_2016,
}
"""Whom this package is compared with."""


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""
    views = []
    for machine in machines:
        contests, skipped = contest.read(machine.folder)
        if contests or skipped:
            views.append(View(machine.hardware, contests, skipped))
    return {"views": views, "times": times, "ratios": ratios, "shares": shares}


def times(group: Group) -> str:
    """Return a table of the milliseconds of an iteration."""
    title = f"{group.title}: milliseconds of an iteration."
    return _table(group, title, lambda _, entry: formats.milliseconds(entry.seconds))


def shares(group: Group) -> str:
    """Return a table of operations per second, and of their share of the ceiling."""

    def cell(found: Contest, entry: Entry) -> str:
        rate = formats.plain(found.flops_per_second(entry) / 1e9)
        return f"{rate} ({100 * found.share(entry):.0f} %)"

    title = f"{group.title}: GFLOP/s, and their share of the fastest matrix product."
    return _table(group, title, cell)


def ratios(group: Group) -> str:
    """Return a table of how many times as fast the package's engines are."""
    rows = []
    for name, title in group.titles("own").items():
        for peer, other in PEERS.items():
            found = [
                contest.ratio(other(own), own.entries[name])
                if name in own.entries and own.entries[name].measured
                else None
                for own in group.contests
            ]
            if any(found):
                cells = [NOTHING if r is None else formats.plain(r) for r in found]
                rows.append([f"{rst.escaped(title)}: {peer}", *cells])
    if not rows:
        return ""
    title = f"{group.title}: the time of others over that of this package's engines."
    return rst.table(_head(group), rows, title, "numbers")


def _table(group: Group, title: str, cell: Callable[[Contest, Entry], str]) -> str:
    """Return a table with a row for every contender and a column for every size."""
    rows = []
    for name, who in group.titles().items():
        cells = []
        for found in group.contests:
            entry = found.entries.get(name)
            there = entry is not None and entry.measured
            cells.append(cell(found, entry) if there and entry else NOTHING)
        rows.append([rst.escaped(who), *cells])
    return rst.table(_head(group), rows, title, "numbers")


def _head(group: Group) -> list[str]:
    return ["", *(f"{found.size} px" for found in group.contests)]


def _mebibytes(_: Contest, entry: Entry) -> str:
    peak = entry.peak_memory_bytes
    return NOTHING if peak is None else f"{peak / 2**20:.0f}"


def _worst(values: Iterator[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{max(known):.1e}" if known else NOTHING
