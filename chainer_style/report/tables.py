"""Tables 4 and 5 in the paper's form, as boxes to be drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from chainer_style import added, networks
from chainer_style.paper import ITERATIONS, MACHINE, MINUTES, Cell, RateTable
from chainer_style.report import formats
from chainer_style.report.comparison import Entry, entries, paper_lacks, row_title
from chainer_style.report.machines import Machine

Kind = Literal["head", "label", "counted", "rate", "note"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a table.

    Attributes
    ----------
    text
        What stands in it.
    kind
        A heading; a minute; a number that was printed or counted; one that is a
        rate times minutes; or words in the place of numbers.
    rows, columns
        How far it reaches down and to the right.
    """

    text: str
    kind: Kind
    rows: int = 1
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """A table, ready to be drawn.

    Attributes
    ----------
    number
        Its number in the paper.
    caption
        What it shows.
    head
        Rows of headings.
    rows
        Minute by minute, and today's numbers over the paper's.
    notes
        How to read the numbers.
    width
        Number of columns.
    """

    number: int
    caption: str
    head: Sequence[Sequence[Box]]
    rows: Sequence[Sequence[Box]]
    notes: Sequence[str]
    width: int


@dataclass(frozen=True, slots=True)
class Group:
    """The columns of the paper, or of one machine.

    Attributes
    ----------
    title
        Whose they are.
    columns
        Those with numbers, by network and size, as printed from left to right.
    missing
        The cells without, by the reason why.
    cells
        All of them.
    """

    title: str
    columns: Sequence[Sequence[Entry]]
    missing: Mapping[str, Sequence[Cell]]
    cells: Sequence[Cell]

    @property
    def width(self) -> int:
        """Number of columns: one for each that has numbers, one for each reason."""
        return len(self.columns) + len(self.missing)


RATIO = "÷ the paper"
"""Title of the row of ratios."""

RATIO_BESIDE = "÷ Chainer"
"""Title of the row of those of this package's engine."""


def layout(table: RateTable, machines: Sequence[Machine]) -> Layout:
    """Lay a table out: minutes down, a group of columns for the paper and each machine.

    A column without numbers is not drawn; a narrow one says why it is not there.
    """
    groups = [_paper(table), *(_today(table, machine) for machine in machines)]
    titles = [Box(g.title, "head", columns=g.width) for g in groups]
    over = [box for group in groups for box in _over(table, group)]
    devices = [
        Box(added.heading(column[0].cell), "head")
        for group in groups
        for column in group.columns
    ]
    head = [[Box("Minutes", "head", rows=3), *titles], over, devices]
    ratios = [[Box(RATIO, "label"), *_ratios(groups)]]
    if any(map(_is_added, _today_columns(groups))):
        ratios.append([Box(RATIO_BESIDE, "label"), *_ratios_beside(groups)])
    rows = [_row(groups, i, len(ratios)) for i in range(len(MINUTES))] + ratios
    caption = f"{table.title}: after 1 to 5 minutes."
    width = 1 + sum(group.width for group in groups)
    return Layout(table.number, caption, head, rows, _notes(groups), width)


def _paper(table: RateTable) -> Group:
    """Return the paper's columns; entries of a machine without records have them."""
    cells = table.cells
    columns = [[*entries(cell, None)] for cell in cells if cell in ITERATIONS]
    missing = _by_reason(cells, paper_lacks)
    return Group(f"The paper: {MACHINE}", columns, missing, cells)


def _today(table: RateTable, machine: Machine) -> Group:
    cells = added.cells(table)
    columns = [[*entries(c, machine)] for c in cells if machine.measured(c)]
    missing = _by_reason(cells, lambda cell: machine.reason(cell, table))
    label = machine.label(*table.rows)
    title = f"Today: {machine.hardware}" + (f"; {label}" if label else "")
    return Group(title, columns, missing, cells)


def _by_reason(
    cells: Iterable[Cell], why: Callable[[Cell], str | None]
) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        if reason := why(cell):
            found.setdefault(reason, []).append(cell)
    return found


def _over(table: RateTable, group: Group) -> Iterator[Box]:
    """Yield the headings above a group's devices: networks, sizes, missing cells."""
    for row in table.rows:
        own = [c for c in group.columns if (c[0].cell.network, c[0].cell.size) == row]
        if own:
            yield Box(row_title(*row), "head", columns=len(own))
    for cells in group.missing.values():
        yield Box(named(cells, group.cells), "head", rows=2)


def named(cells: Sequence[Cell], every: Sequence[Cell]) -> str:
    """Name some of a group's cells as briefly as can be: ``GPU and cuDNN``."""
    headings = dict.fromkeys(map(added.heading, every))
    others = {added.heading(cell) for cell in every if cell not in cells}
    devices = [heading for heading in headings if heading not in others]
    names = [formats.listing(devices)] if devices else []
    rest: dict[str, list[tuple[str, int]]] = {}
    for row in dict.fromkeys((cell.network, cell.size) for cell in every):
        own = [cell for cell in cells if (cell.network, cell.size) == row]
        left = [h for h in map(added.heading, own) if h not in devices]
        if left:
            whole = {*headings} - {"cuDNN"} <= {*left, *devices}
            which = "" if whole else f"{formats.listing(left)}: "
            rest.setdefault(which, []).append(row)
    names += [which + _rows_named(rows) for which, rows in rest.items()]
    return "; ".join(names)


def _rows_named(rows: Sequence[tuple[str, int]]) -> str:
    """Name networks and their sizes: ``VGG-16, 64 and 128 px``."""
    sizes: dict[str, list[str]] = {}
    for network, size in rows:
        sizes.setdefault(networks.get(network).title, []).append(str(size))
    return "; ".join(f"{n}, {formats.listing(own)} px" for n, own in sizes.items())


def _today_columns(groups: Sequence[Group]) -> Iterator[Sequence[Entry]]:
    for group in groups[1:]:
        yield from group.columns


def _is_added(column: Sequence[Entry]) -> bool:
    return added.is_added(column[0].cell)


def _row(groups: Sequence[Group], i: int, ratios: int) -> list[Box]:
    """Return the numbers after one minute; words reach over all rows of the body."""
    boxes = [Box(str(MINUTES[i]), "label")]
    for n, group in enumerate(groups):
        show = _today_box if n else _paper_box
        boxes += [show(column[i]) for column in group.columns]
        if i == 0:
            said = "not measured: " if n else ""
            rows = len(MINUTES) + ratios
            boxes += [Box(said + why, "note", rows=rows) for why in group.missing]
    return boxes


def _paper_box(entry: Entry) -> Box:
    return Box(str(entry.paper), "counted")


def _today_box(entry: Entry) -> Box:
    assert entry.today is not None
    text = formats.iterations(entry.today, entry.counted)
    return Box(text, "counted" if entry.counted else "rate")


def _ratios(groups: Sequence[Group]) -> Iterator[Box]:
    """Yield today's numbers over the paper's, after the last minute."""
    yield from [Box("", "counted")] * len(groups[0].columns)
    for *_, last in _today_columns(groups):
        yield _ratio_box(last.ratio, last.counted)


def _ratios_beside(groups: Sequence[Group]) -> Iterator[Box]:
    """Yield what the added columns did over what Chainer did on the same machine."""
    yield from [Box("", "counted")] * len(groups[0].columns)
    for group in groups[1:]:
        lasts = {column[-1].cell: column[-1] for column in group.columns}
        for cell, last in lasts.items():
            if not added.is_added(cell):
                yield Box("", "counted")
                continue
            other = lasts.get(added.faithful(cell))
            if other is None or last.today is None or not other.today:
                yield _ratio_box(None, True)
            else:
                counted = last.counted and other.counted
                yield _ratio_box(last.today / other.today, counted)


def _ratio_box(ratio: float | None, counted: bool) -> Box:
    if ratio is None:
        return Box("—", "counted")
    return Box(formats.ratio(ratio, counted), "counted" if counted else "rate")


def _notes(groups: Sequence[Group]) -> list[str]:
    measured = [entry for column in _today_columns(groups) for entry in column]
    notes = ["GPU: without cuDNN."]
    if len(groups) > 1:
        notes.append(added.NOTE)
    if any(entry.counted for entry in measured):
        notes.append(
            "Upright numbers of today were counted: iterations finished by then, "
            "the first ones included."
        )
    if not all(entry.counted for entry in measured):
        notes.append(
            f"{formats.ABOUT} and slanted: the run did not last that long; "
            "60 s ÷ the median time of an iteration, times the minutes."
        )
    if measured:
        notes.append(f"{RATIO}: after {MINUTES[-1]} minutes.")
    if any(map(_is_added, _today_columns(groups))):
        notes.append(
            f"{RATIO_BESIDE}: after {MINUTES[-1]} minutes as well, over the column CPU "
            "of the same machine."
        )
    notes.append("The paper’s numbers stand as printed. Nothing is interpolated.")
    return notes
