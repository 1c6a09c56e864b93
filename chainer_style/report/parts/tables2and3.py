"""Tables 2 and 3: how the machines are set up, side by side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chainer_style.doctor.findings import Finding
from chainer_style.experiments.setup import SetupRecord, Whole
from chainer_style.paper import SETUP
from chainer_style.report import gtx960, rst
from chainer_style.report.machines import Machine
from chainer_style.text import size

UNSEEN = "not known"
"""What cannot be said of 2016."""

UPGRADE = "https://docs.chainer.org/en/stable/upgrade_v2.html"

NONE = "none"


@dataclass(frozen=True)
class Row:
    """A line of the side-by-side table.

    Attributes
    ----------
    what
        Its name.
    then
        Of 2016.
    look
        Returns today's value of a record.
    """

    what: str
    then: str
    look: Callable[[SetupRecord], str | None]


def _of(section: str, what: str) -> Callable[[SetupRecord], str | None]:
    return lambda record: record.value(section, what)


def _buses(record: SetupRecord) -> str | None:
    lines = [f.value for f in record.findings if f.what.startswith("PCI ")]
    return "; ".join(lines) or None


MARKED = "†"
"""Marks what another GTX 960 was seen to have."""

ROWS = (
    Row("System", SETUP["System"], _of("Machine", "System")),
    Row("Processor", SETUP["Processor"], _of("Machine", "Processor")),
    Row("Processors in use", UNSEEN, _of("Machine", "Processors")),
    Row("Memory", UNSEEN, _of("Machine", "Memory")),
    Row("Python", UNSEEN, _of("Libraries", "Python")),
    Row("Chainer", SETUP["Chainer"], _of("Libraries", "Chainer")),
    Row("NumPy", UNSEEN, _of("Libraries", "NumPy")),
    Row("BLAS", UNSEEN, _of("Libraries", "BLAS")),
    Row("CuPy", "part of Chainer", _of("CUDA", "CuPy")),
    Row("CUDA", SETUP["CUDA"], _of("CUDA", "Runtime")),
    Row("Driver", UNSEEN, _of("CUDA", "Driver")),
    Row("cuDNN", "yes, of a version not known", _of("CUDA", "cuDNN")),
    Row("``lspci``", SETUP["Chip"], _buses),
    Row("GPU", SETUP["GPU"], _of("GPU 0", "Name")),
    Row(
        "Compute capability",
        f"{gtx960.CAPABILITY} {MARKED}",
        _of("GPU 0", "Compute capability"),
    ),
    Row(
        "Multiprocessors",
        f"{gtx960.MULTIPROCESSORS} {MARKED}",
        _of("GPU 0", "Multiprocessors"),
    ),
    Row("GPU memory", f"{size(gtx960.MEMORY)} {MARKED}", _of("GPU 0", "Memory")),
    Row("GPU clock", f"{gtx960.CLOCK / 1e6:.0f} MHz {MARKED}", _of("GPU 0", "Clock")),
    Row(
        "Memory clock",
        f"{gtx960.MEMORY_CLOCK / 1e6:.0f} MHz {MARKED}",
        _of("GPU 0", "Memory clock"),
    ),
    Row("Memory bus", f"{gtx960.BUS} bit {MARKED}", _of("GPU 0", "Memory bus")),
    Row("L2 cache", f"{size(gtx960.L2_CACHE)} {MARKED}", _of("GPU 0", "L2 cache")),
)
"""What the paper's listings are of, as far as anything is known of it."""


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""
    records = {m.hardware: r for m in machines if (r := _record(m)) is not None}
    return {
        "side_by_side": _side_by_side(records),
        "listings": {name: _listing(r.findings) for name, r in records.items()},
        "marked": MARKED,
        "card": gtx960,
        "unseen": UNSEEN,
        "upgrade": UPGRADE,
    }


def _record(machine: Machine) -> SetupRecord | None:
    record: SetupRecord | None = machine.of(SetupRecord.experiment).get(Whole())
    return record if record and record.measured else None


def _side_by_side(records: dict[str, SetupRecord]) -> str:
    head = ["", "2016", *map(rst.escaped, records)]
    rows = []
    for row in ROWS:
        today = [rst.escaped(row.look(r) or NONE) for r in records.values()]
        rows.append([row.what, row.then, *today])
    return rst.table(head, rows, "The paper’s machine, and today’s.")


def _listing(findings: Sequence[Finding]) -> str:
    rows = []
    for section, group in itertools.groupby(findings, lambda f: f.section):
        for i, found in enumerate(group):
            what, value = map(rst.escaped, (found.what, found.value))
            rows.append([section if i == 0 else "", what, value])
    return rst.table(["", "", "Found"], rows)
