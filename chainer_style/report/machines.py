"""The machines that there are records of, and what became of every cell there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chainer_style import added, networks
from chainer_style.errors import UserError
from chainer_style.experiments import records
from chainer_style.experiments.catalogue import RECORDS
from chainer_style.experiments.rates import RateRecord
from chainer_style.experiments.records import Record
from chainer_style.paper import COLUMNS, RATE_TABLES, Cell, RateTable

NO_RECORD = "no record of it"
"""Reason of a cell that nobody tried to measure."""

TABLE_CELLS = frozenset(
    cell for table in RATE_TABLES.values() for cell in added.cells(table)
)
"""Every cell of Tables 4 and 5, those that the paper had not included."""


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
        By experiment and cell.
    """

    name: str
    folder: Path
    records: Mapping[str, Mapping[Any, Record[Any]]]

    def of(self, experiment: str) -> Mapping[Any, Any]:
        """Return the records of an experiment by cell; empty where there are none."""
        return self.records.get(experiment, {})

    @property
    def everything(self) -> list[Record[Any]]:
        """Every record, experiment by experiment."""
        return [record for own in self.records.values() for record in own.values()]

    @property
    def rates(self) -> Mapping[Cell, RateRecord]:
        """The records of Tables 4 and 5, in the tables' order."""
        own = self.of(RateRecord.experiment)
        return {cell: own[cell] for cell in in_order(own)}

    @property
    def cells(self) -> list[Cell]:
        """The cells of Tables 4 and 5 and any others that have a record."""
        return in_order({*TABLE_CELLS, *self.rates})

    def measured(self, cell: Cell) -> RateRecord | None:
        """Return the record of a cell of Tables 4 and 5 if there is a time in it."""
        record = self.rates.get(cell)
        return record if record and record.measured else None

    def reason(self, cell: Cell, table: RateTable | None = None) -> str | None:
        """Return why such a cell has no time, or None where it has one.

        Of a cell that nobody tried, the command that does; of one that is in both
        tables, that of the table asked for.
        """
        if record := self.rates.get(cell):
            return record.reason
        for number, other in RATE_TABLES.items():
            if table in (None, other) and cell in added.cells(other):
                return f"{NO_RECORD} yet; run: make table{number}"
        return NO_RECORD

    def label(self, *rows: tuple[str, int]) -> str:
        """Say which weights were used, of all cells or of those of some rows.

        Returns
        -------
        str
            The label of the records; network by network where they differ;
            empty where nothing was measured.
        """
        labels = {}
        for record in self.rates.values():
            cell = record.cell
            if record.measured and (not rows or (cell.network, cell.size) in rows):
                labels[networks.get(cell.network).title] = weights_label(record)
        if len(set(labels.values())) == 1:
            return next(iter(labels.values()))
        return "; ".join(f"{name}: {label}" for name, label in labels.items())

    @property
    def hardware(self) -> str:
        """Processor, cores and GPU, in words."""
        environment = self.everything[0].environment
        cores = environment["cores"]
        parts = [environment["cpu"], f"{cores} core{'s' * (cores != 1)}"]
        if card := environment["gpu"]:
            parts.append(card["name"])
        return ", ".join(parts)


@dataclass(frozen=True)
class Found:
    """What lies below a folder of results.

    Attributes
    ----------
    machines
        The leading one first, the others by name.
    skipped
        One line for each file that could not be used.
    """

    machines: Sequence[Machine]
    skipped: Sequence[str] = field(default=())


def read(results: Path, leading: str | None = None) -> Found:
    """Read every record below a folder.

    What is no record, damaged, or of another version is skipped, and named.

    Parameters
    ----------
    results
        Folder with one folder of records per machine.
    leading
        Name of the machine to put first; where it has no records, or none is named,
        the one with the most.

    Raises
    ------
    UserError
        If there is no record that can be used.
    """
    found: dict[str, dict[str, dict[Any, Record[Any]]]] = {}
    skipped = []
    for path in records.paths(results):
        try:
            record = records.load(path, RECORDS)
        except UserError as error:
            skipped.append(str(error))
            continue
        # Where it lies counts, and not what it says: folders are copied and renamed.
        machine = path.relative_to(results).parts[0]
        found.setdefault(machine, {}).setdefault(record.experiment, {})[record.cell] = (
            record
        )
    if not found:
        also = f" ({len(skipped)} skipped: {skipped[0]})" if skipped else ""
        raise UserError(f"no records below {results}{also}: run make reproduce first")

    def rank(name: str) -> tuple[bool, int, str]:
        return name != leading, -_count(found[name]), name

    first, *others = sorted(found, key=rank)
    names = [first, *sorted(others)]
    machines = [Machine(name, results / name, found[name]) for name in names]
    return Found(machines, skipped)


def _count(own: Mapping[str, Mapping[Any, Record[Any]]]) -> int:
    return sum(r.measured for records_of in own.values() for r in records_of.values())


def in_order(cells: Iterable[Cell]) -> list[Cell]:
    """Sort cells by network, size and device, each once."""
    known = list(networks.NETWORKS.values())

    def key(cell: Cell) -> tuple[int, int, int, bool]:
        network = known.index(networks.get(cell.network))
        column = COLUMNS.index(cell.column)
        return network, cell.size, column, added.is_added(cell)

    return sorted(set(cells), key=key)


def weights_label(record: RateRecord) -> str:
    """Return what a measured record says of its weights."""
    return str(record.settings["weights"]["label"])
