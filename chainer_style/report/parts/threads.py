"""What more threads gain on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainer_style import networks
from chainer_style.report import formats, profiles, rst, scaling
from chainer_style.report.machines import Machine
from chainer_style.report.parts import benchmark
from chainer_style.report.profiles import Profile
from chainer_style.report.scaling import Row

NOTHING = "—"
"""Stands where nothing was measured."""


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""

    def tables(machine: Machine, rows: Sequence[Row]) -> list[str]:
        measured, _ = profiles.read(machine.folder)
        return [table(rows, measured)]

    return benchmark.context(machines, scaling.FILE, scaling.read_rows, tables)


def table(rows: Sequence[Row], measured: Sequence[Profile]) -> str:
    """Return a table of a machine's rows.

    Parameters
    ----------
    rows
        What was measured.
    measured
        The machine's records of phases, which tell the floor.
    """
    cells = []
    for row in rows:
        gain = scaling.gain(row, rows)
        if gain is None:
            continue
        one = next(r for r in rows if _place(r) == _place(row) and r.threads == 1)
        at_best = _floors_gain(row, measured)
        cells.append(
            [
                f"{networks.get(row.network).title}, {row.size} px",
                str(row.threads),
                formats.milliseconds(one.seconds),
                formats.milliseconds(row.seconds),
                f"{gain:.2f}",
                NOTHING if at_best is None else f"{at_best:.2f}",
            ]
        )
    head = ["", "threads", "ms with one", "ms with all", "gain", "the floor's"]
    title = (
        "Milliseconds of an iteration; how many times as fast it is as with one "
        "thread, and how many times as low its floor."
    )
    return rst.table(head, cells, title, kind="numbers")


def _place(cell: Row | Profile) -> tuple[str, int]:
    return cell.network, cell.size


def _floors_gain(row: Row, measured: Sequence[Profile]) -> float | None:
    """Return the floor with one thread over that with the row's, where known."""
    floors = {
        profile.threads: profile.floor(profile.steps).seconds
        for profile in measured
        if _place(profile) == _place(row)
    }
    if not {1, row.threads} <= floors.keys():
        return None
    return floors[1] / floors[row.threads]
