"""Past the paper: 512 pixels to 8K, with memory and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainer_style.experiments.limits import LimitCell, LimitRecord, predicted
from chainer_style.experiments.past import CELLS, PastCell, PastRecord, lasting
from chainer_style.report import formats, rst
from chainer_style.report.machines import Machine

CRASHED = LimitCell(512, "1.5", CELLS[0].gib, "CPU")
"""What 512 pixels took in 2016, within the same memory."""

HEAD = (
    "Size",
    "Within",
    "Tiles",
    "Kept",
    "Predicted",
    "Measured",
    "Targets, s",
    "Iteration, s",
    "per MP",
)


@dataclass(frozen=True)
class View:
    """A machine that measured some of it.

    Attributes
    ----------
    hardware
        In words.
    table
        Of its records, as reStructuredText.
    crashed
        What became of the loop of 2016 at 512 px within the same memory; None where
        there is no record of it.
    lacking
        What was not measured, and why.
    about
        Weights and threads, of all records.
    on_disk
        Sizes whose content features were in a file.
    odd
        Sizes whose picture is not of numbers alone, or whose loss did not fall.
    """

    hardware: str
    table: str
    crashed: str | None
    lacking: Sequence[str]
    about: str
    on_disk: Sequence[str]
    odd: Sequence[str]


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""
    views = [_view(m) for m in machines if _measured(m.of(PastRecord.experiment))]
    return {
        "views": views,
        "commands": [_command(cell) for cell in CELLS],
        "need": predicted(CRASHED),
        "budget": f"{CELLS[0].gib} GiB",
    }


def _view(machine: Machine) -> View:
    records = machine.of(PastRecord.experiment)
    measured = _measured(records)
    return View(
        hardware=machine.hardware,
        table=table(measured),
        crashed=_crashed(machine.of(LimitRecord.experiment).get(CRASHED)),
        lacking=[_lacking(c, records.get(c)) for c in CELLS if c not in measured],
        about=formats.listing(sorted({_about(r) for r in measured.values()})),
        on_disk=[c.size for c, record in measured.items() if record.cut["on_disk"]],
        odd=[
            cell.size
            for cell, record in measured.items()
            if not (record.finite and record.losses[-1] < record.losses[0])
        ],
    )


def _measured(records: Mapping[PastCell, PastRecord]) -> dict[PastCell, PastRecord]:
    """Return the measured records, the smallest picture first."""
    found = {cell: record for cell, record in records.items() if record.measured}
    return dict(sorted(found.items(), key=lambda item: item[0].megapixels))


def table(measured: Mapping[PastCell, PastRecord]) -> str:
    """Return the measured sizes of a machine."""
    rows = [_row(cell, record) for cell, record in measured.items()]
    title = "Memory and time of VGG-16, size by size; 8K is 7680×4320."
    return rst.table(HEAD, rows, title, "numbers")


def _row(cell: PastCell, record: PastRecord) -> list[str]:
    cut = record.cut
    tiles = str(cut["tiles"])
    if cut["tiles"] > 1:
        tiles += f" of {cut['side']} px"
    return [
        cell.size.partition(",")[0],
        f"{cell.gib} GiB",
        tiles,
        _kept(record),
        formats.mebibytes(record.expected_bytes),
        formats.mebibytes(record.peak_memory_bytes or 0),
        formats.plain(record.targets_seconds),
        formats.plain(record.median),
        formats.plain(record.per_megapixel),
    ]


def _kept(record: PastRecord) -> str:
    kept = record.cut["kept"]
    if record.cut["tiles"] == 1:
        return "all"
    return ", ".join(kept) if kept else "nothing"


def _crashed(record: LimitRecord | None) -> str | None:
    if record is None or not record.measured:
        return None
    return f"it failed, {record.ending}" if record.failed else "it ran"


def _lacking(cell: PastCell, record: PastRecord | None) -> str:
    if record is not None and record.reason:
        return f"{cell.size}: {rst.escaped(record.reason)}"
    return f"{cell.size}: no record yet; run {_command(cell)}, {_lasting(cell)}"


def _command(cell: PastCell) -> str:
    return rst.literal(f"make {cell.part}")


def _lasting(cell: PastCell) -> str:
    """Say how long a cell takes, roughly."""
    minutes = max(1, round(lasting(cell) / 60))
    return f"about {minutes} minute{'s' * (minutes != 1)}"


def _about(record: PastRecord) -> str:
    weights, threads = record.settings["weights"], record.settings["threads"]
    count = f"{threads} thread{'s' * (threads != 1)}"
    return f"{rst.escaped(weights['label'])}, {count}"
