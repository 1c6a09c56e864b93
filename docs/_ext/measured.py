"""What was measured, from the records, as reStructuredText."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from chainer_style.experiments import records
from chainer_style.experiments.rates import RateRecord
from chainer_style.report import comparison, environment, formats, machines
from chainer_style.report.machines import Machine
from chainer_style.report.rst import escaped, table

NOTHING = "This copy of the documentation was built without records."
"""What the page says where there are none."""


def results(folder: Path) -> str:
    """Return a section for every machine that has records below a folder."""
    return "\n".join(section(machine) for machine in found(folder)) or NOTHING


def found(folder: Path) -> Sequence[Machine]:
    """Return the machines that have records below a folder, none without one."""
    if not any(records.paths(folder)):
        return []
    return machines.read(folder).machines


def section(machine: Machine) -> str:
    """Return what one machine is, and what its records of Tables 4 and 5 say."""
    return "\n".join([heading(machine.name), facts_of(machine), cells(machine)])


def heading(text: str) -> str:
    """Return a section's title."""
    return f"{text}\n{'-' * len(text)}\n"


def facts_of(machine: Machine) -> str:
    """Return machine, date, weights, protocol and software as a field list."""
    lines = (f":{what}: {escaped(value)}" for what, value in environment.facts(machine))
    return "\n".join([*lines, ""])


def cells(machine: Machine) -> str:
    """Return median, spread and peak memory of every cell with a time.

    The weights too, where not all have the same.
    """
    head = ["Cell", "Median, ms", "10th to 90th percentile, ms", "Timed", "Memory"]
    measured = [record for c in machine.cells if (record := machine.measured(c))]
    labels = [machines.weights_label(record) for record in measured]
    rows = [_row(record) for record in measured]
    if len(set(labels)) > 1:
        head.append("Weights")
        rows = [[*row, label] for row, label in zip(rows, labels, strict=True)]
    title = (
        "Time of one iteration, number of iterations it is taken from, and peak memory."
    )
    timed = table(head, rows, title, "numbers")
    return "\n".join([timed if measured else "", *_not_measured(machine), ""])


def _row(record: RateRecord) -> list[str]:
    low, high = map(formats.milliseconds, record.spread)
    memory = record.peak_memory_bytes
    return [
        comparison.title(record.cell),
        formats.milliseconds(record.median),
        f"{low} to {high}",
        str(len(record.kept)),
        formats.mebibytes(memory) if memory else "unknown",
    ]


def _not_measured(machine: Machine) -> Iterator[str]:
    """Yield a sentence for every reason why cells have no time."""
    reasons: dict[str, list[str]] = {}
    for cell in machine.cells:
        if machine.measured(cell) is None:
            title = comparison.title(cell)
            reasons.setdefault(str(machine.reason(cell)), []).append(title)
    for reason, titles in reasons.items():
        yield f"Not measured ({escaped(reason)}): {'; '.join(titles)}.\n"
