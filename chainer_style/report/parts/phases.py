"""Where the time of engine ``cpu`` goes, beside what it takes at least."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chainer_style import themes
from chainer_style.report import floors, formats, profiles, rst
from chainer_style.report.machines import Machine
from chainer_style.report.profiles import Group, Profile, Step

NOTHING = "—"
"""Stands where a network has no such steps."""


@dataclass(frozen=True)
class View:
    """A machine with records of ``benchmarks/phases.py``.

    Attributes
    ----------
    hardware
        In words.
    profiles
        The records, by network, threads and size.
    skipped
        One line for each file that could not be used.
    """

    hardware: str
    profiles: Sequence[Profile]
    skipped: Sequence[str]

    @property
    def groups(self) -> list[Group]:
        """The records, those of one table together."""
        return profiles.groups(self.profiles)

    @property
    def made(self) -> str:
        """When it was measured."""
        days = sorted({found.ended[:10] for found in self.profiles})
        return " to ".join(dict.fromkeys((days[0], days[-1])))

    @property
    def chart(self) -> str:
        """All of it at a glance."""
        light, dark = (
            themes.save(floors.draw(self.groups, theme), "svg")
            for theme in (themes.LIGHT, themes.DARK)
        )
        return rst.picture(
            light,
            "svg+xml",
            "Milliseconds of every phase of an iteration",
            "Milliseconds of each phase; each panel has a scale of its own. The "
            "upright line is the phase's floor.",
            dark=dark,
            classes="chart",
        )

    @property
    def memory(self) -> str:
        """What the engine allocates, predicted and measured."""
        rows = [
            [
                rst.escaped(group.title),
                *(
                    f"{profile.predicted_bytes / 2**20:.0f} / "
                    f"{profile.measured_bytes / 2**20:.0f}"
                    for profile in group.profiles
                ),
            ]
            for group in self.groups
        ]
        sizes = [_sizes(group) for group in self.groups]
        title = "Memory that the engine allocates, MiB: predicted / measured."
        tables = [
            rst.table(
                ["", *(f"{size} px" for size in own)],
                [row for row, size in zip(rows, sizes, strict=True) if size == own],
                title,
                "numbers",
            )
            for own in dict.fromkeys(sizes)
        ]
        return "\n".join(tables)


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""
    views = []
    for machine in machines:
        found, skipped = profiles.read(machine.folder)
        if found or skipped:
            views.append(View(machine.hardware, found, skipped))
    return {"views": views, "times": times, "over": over, "ceilings": ceilings}


def times(group: Group) -> str:
    """Return a table of the milliseconds of each phase, and of their share."""

    def cell(profile: Profile, steps: Sequence[Step], seconds: float) -> str:
        share = 100 * seconds / profile.seconds
        return f"{formats.milliseconds(seconds)} ({share:.0f} %)"

    title = f"{group.title}: milliseconds of each phase, and their share."
    return _table(group, title, cell)


def over(group: Group) -> str:
    """Return a table of the floor of each phase, and how many times it is taken."""

    def cell(profile: Profile, steps: Sequence[Step], seconds: float) -> str:
        floor = profile.floor(steps)
        times = formats.plain(seconds / floor.seconds)
        letter = floor.limit[0]
        return f"{formats.milliseconds(floor.seconds)} {letter} × {times}"

    title = (
        f"{group.title}: floor of each phase in milliseconds, by products (p) or "
        "memory (m), and how many times that it took."
    )
    return _table(group, title, cell)


def ceilings(group: Group) -> Iterator[str]:
    """Yield what the floors of a group's sizes are made of."""
    for what, unit, values in (
        ("sgemm", "GFLOP/s", [p.flops_per_second for p in group.profiles]),
        ("memory", "GB/s", [p.bytes_per_second for p in group.profiles]),
    ):
        yield f"{what} {formats.span([value / 1e9 for value in values])} {unit}"


def _table(
    group: Group, title: str, cell: Callable[[Profile, Sequence[Step], float], str]
) -> str:
    """Return a table with a row for every phase and a column for every size."""
    rows = []
    for name in group.phases:
        cells = []
        for profile in group.profiles:
            steps = profile.phases.get(name, [])
            seconds = profiles.lasted(steps)
            cells.append(cell(profile, steps, seconds) if steps else NOTHING)
        rows.append([name, *cells])
    whole = [cell(p, p.steps, p.seconds) for p in group.profiles]
    rows.append(["an iteration", *whole])
    head = ["", *(f"{size} px" for size in _sizes(group))]
    return rst.table(head, rows, title, "numbers")


def _sizes(group: Group) -> tuple[int, ...]:
    return tuple(profile.size for profile in group.profiles)
