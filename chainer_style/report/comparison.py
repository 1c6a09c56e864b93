"""The paper's numbers beside those of the records: what every table is made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from chainer_style import networks
from chainer_style.errors import UserError
from chainer_style.experiments import records
from chainer_style.experiments.records import Record
from chainer_style.paper import COLUMNS, ITERATIONS, MINUTES, RATE_TABLES, Cell

NO_RECORD = "no record of it"
"""Reason of a cell that nobody tried to measure."""

LEFT_OUT = "left out of the table: 'GPU mode only' was faster"
"""Why the paper has no cuDNN columns, in its own words."""

TABLE_CELLS = frozenset(cell for table in RATE_TABLES.values() for cell in table.cells)
"""Every cell of both tables."""


@dataclass(frozen=True)
class Machine:
    """Every record of one machine.

    Attributes
    ----------
    name
        Name of its folder of records.
    folder
        That folder; the pictures lie there.
    records
        By cell; never empty.
    """

    name: str
    folder: Path
    records: Mapping[Cell, Record]

    @property
    def cells(self) -> list[Cell]:
        """The cells of the paper's tables and any others that have a record."""
        return in_order({*TABLE_CELLS, *self.records})

    def measured(self, cell: Cell) -> Record | None:
        """Return the record of a cell if there is a time in it."""
        record = self.records.get(cell)
        return record if record and record.measured else None

    def reason(self, cell: Cell) -> str | None:
        """Return why a cell has no time, or None where it has one."""
        record = self.records.get(cell)
        return record.reason if record else NO_RECORD

    def label(self, *rows: tuple[str, int]) -> str:
        """Say which weights were used, of all cells or of those of some rows.

        Returns
        -------
        str
            The label of the records; network by network where they differ;
            empty where nothing was measured.
        """
        labels = {}
        for record in self.records.values():
            cell = record.cell
            if record.measured and (not rows or (cell.network, cell.size) in rows):
                labels[networks.get(cell.network).title] = weights_label(record)
        if len(set(labels.values())) == 1:
            return next(iter(labels.values()))
        return "; ".join(f"{name}: {label}" for name, label in labels.items())

    @property
    def hardware(self) -> str:
        """Processor, cores and GPU, in words."""
        environment = next(iter(self.records.values())).environment
        cores = environment["cores"]
        parts = [environment["cpu"], f"{cores} core{'s' * (cores != 1)}"]
        if card := environment["gpu"]:
            parts.append(card["name"])
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of a table: a cell after so many minutes.

    Attributes
    ----------
    cell, minute
        Which one.
    paper
        Iterations as the paper prints them; None where it prints none.
    today
        Iterations from the record; None where there is no time.
    counted
        Whether today's were counted; otherwise they are the median rate times
        the minutes.
    reason
        Why there is nothing from today.
    """

    cell: Cell
    minute: int
    paper: float | None
    today: float | None
    counted: bool
    reason: str | None

    @property
    def ratio(self) -> float | None:
        """Today's iterations over the paper's."""
        if self.today is None or self.paper is None:
            return None
        return self.today / self.paper


def entries(cell: Cell, machine: Machine) -> Iterator[Entry]:
    """Yield a cell's entries, minute by minute."""
    printed = ITERATIONS.get(cell, (None,) * len(MINUTES))
    record = machine.measured(cell)
    for minute, paper in zip(MINUTES, printed, strict=True):
        today, counted = record.iterations_after(minute) if record else (None, False)
        reason = machine.reason(cell)
        yield Entry(cell, minute, paper, today, counted, reason)


def read(results: Path, first: str) -> list[Machine]:
    """Read every record below a folder.

    Parameters
    ----------
    results
        Folder with one folder of records per machine.
    first
        Name of the machine to put first; the others follow by name.

    Raises
    ------
    UserError
        If there is no record, none of that machine, or one that cannot be read.
    """
    found: dict[str, dict[Cell, Record]] = {}
    for record in records.load_all(results):
        _check(record, results)
        found.setdefault(record.environment["machine"], {})[record.cell] = record
    if not found:
        raise UserError(f"no records below {results}: run make reproduce first")
    if first not in found:
        raise UserError(
            f"no records of the machine {first!r} below {results}; there are those "
            f"of {', '.join(sorted(found))}"
        )
    names = sorted(found, key=lambda name: (name != first, name))
    return [Machine(name, results / name, _sorted(found[name])) for name in names]


SETTINGS = frozenset(
    ("weights", "protocol", "engine", "seed", "content", "style", "requested_seconds")
)
"""What the settings of a measured record must say."""


def _check(record: Record, results: Path) -> None:
    """Refuse a record that lacks what no number is shown without.

    Raises
    ------
    UserError
        Naming the record and what it lacks.
    """
    if not record.measured:
        return
    lacking = sorted(SETTINGS - record.settings.keys())
    if not record.kept:
        lacking.append("times")
    if "label" not in record.settings.get("weights", ()):
        lacking.append("the label of its weights")
    if lacking:
        raise UserError(
            f"the record {record.cell.key} of {record.environment['machine']} in "
            f"{results} lacks {', '.join(lacking)}; measure it again"
        )


def _sorted(by_cell: Mapping[Cell, Record]) -> dict[Cell, Record]:
    return {cell: by_cell[cell] for cell in in_order(by_cell)}


def in_order(cells: Iterable[Cell]) -> list[Cell]:
    """Sort cells by network, size and device, each once."""
    known = list(networks.NETWORKS.values())

    def key(cell: Cell) -> tuple[int, int, int]:
        network = known.index(networks.get(cell.network))
        return network, cell.size, COLUMNS.index(cell.column)

    return sorted(set(cells), key=key)


def row_title(network: str, size: int) -> str:
    """Name a group of columns: network and size."""
    return f"{networks.get(network).title}, {size} px"


def title(cell: Cell) -> str:
    """Name a cell."""
    return f"{row_title(cell.network, cell.size)}, {cell.column}"


def weights_label(record: Record) -> str:
    """Return what a measured record says of its weights."""
    return str(record.settings["weights"]["label"])
