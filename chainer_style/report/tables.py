"""Tables 4 and 5 in the paper's form, as boxes to be drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from chainer_style.paper import COLUMNS, MACHINE, MINUTES, RateTable
from chainer_style.report import formats
from chainer_style.report.comparison import (
    LEFT_OUT,
    Entry,
    entries,
    row_title,
)
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
class Block:
    """Rows of a table under a heading of their own."""

    title: str
    rows: Sequence[Sequence[Box]]


@dataclass(frozen=True, slots=True)
class Layout:
    """A table, ready to be drawn.

    Attributes
    ----------
    number
        Its number in the paper.
    caption
        What it shows, with which weights.
    head
        Rows of headings.
    blocks
        The paper's numbers, today's, and their ratio.
    notes
        How to read the numbers.
    width
        Number of columns.
    """

    number: int
    caption: str
    head: Sequence[Sequence[Box]]
    blocks: Sequence[Block]
    notes: Sequence[str]
    width: int


def layout(table: RateTable, machine: Machine) -> Layout:
    """Lay a table out as the paper does: minutes down, devices across."""
    columns = [list(entries(cell, machine)) for cell in table.cells]
    head = [
        [Box("Minutes", "head", rows=2)]
        + [Box(row_title(*row), "head", columns=len(COLUMNS)) for row in table.rows],
        [Box(column, "head") for _ in table.rows for column in COLUMNS],
    ]
    label = machine.label(*table.rows)
    today = f"Today: {machine.hardware}" + (f"; {label}" if label else "")
    blocks = [
        Block(f"The paper: {MACHINE}", _rows(columns, _paper)),
        Block(today, _rows(columns, _today)),
        Block("Today ÷ the paper", _rows(columns, _ratio)),
    ]
    caption = f"{table.title}: after 1 to 5 minutes; "
    caption += f"today’s with {label}." if label else "nothing was measured today."
    width = 1 + len(columns)
    return Layout(table.number, caption, head, blocks, _notes(columns), width)


def _rows(
    columns: Sequence[Sequence[Entry]], show: Callable[[Entry], Box]
) -> list[list[Box]]:
    """Return one row per minute; words reach over all minutes of their column."""
    rows = []
    for i, minute in enumerate(MINUTES):
        boxes = [show(column[i]) for column in columns]
        numbers = [box for box in boxes if i == 0 or box.kind != "note"]
        rows.append([Box(str(minute), "label"), *numbers])
    return rows


def _paper(entry: Entry) -> Box:
    if entry.paper is None:
        return _words(LEFT_OUT)
    return Box(str(entry.paper), "counted")


def _today(entry: Entry) -> Box:
    if entry.today is None:
        return _words(f"not measured: {entry.reason}")
    text = formats.iterations(entry.today, entry.counted)
    return Box(text, "counted" if entry.counted else "rate")


def _ratio(entry: Entry) -> Box:
    if entry.ratio is None:
        return _words("—")
    text = formats.ratio(entry.ratio, entry.counted)
    return Box(text, "counted" if entry.counted else "rate")


def _words(text: str) -> Box:
    return Box(text, "note", rows=len(MINUTES))


def _notes(columns: Sequence[Sequence[Entry]]) -> list[str]:
    measured = [e for column in columns for e in column if e.today is not None]
    notes = ["GPU: without cuDNN."]
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
    notes.append("The paper’s numbers stand as printed. Nothing is interpolated.")
    return notes
