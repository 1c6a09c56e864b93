"""What Tables 4 and 5 show here beside the paper's columns: one of this package.

The paper's own cells are those of `chainer_style.paper`; nothing there has this column.
"""

from __future__ import annotations

import dataclasses

from chainer_style.paper import CHAINER, Cell, RateTable

ENGINE = "cpu"
"""The engine that is measured, by name: never whatever happens to be the fastest."""

TITLE = "this package’s CPU engine"
"""What the column is called."""

SHORT = "engine"
"""The same where room is little, as in a chart whose key has the title."""

NOTE = (
    "This package’s CPU engine is no column of the paper: by compiled kernels of its "
    "own it computes the same problem under the same protocol 2016 (the same losses "
    "at the same taps, the same noise to start from, the same Adam, the same clip "
    "with its cut to integers), without the waste that no picture depends on (the "
    "gradients of the filters, content terms of weight zero, a Python call per "
    "pixel, checks of types)."
)
"""What it is, in one sentence."""

NOT_THE_PAPERS = "no column of the paper"
"""Why the paper has no numbers of it."""


def is_added(cell: Cell) -> bool:
    """Whether a cell is none of the paper's."""
    return cell.engine != CHAINER


def heading(cell: Cell) -> str:
    """Return what a cell's column is called."""
    return TITLE if is_added(cell) else cell.column


def beside(cell: Cell) -> Cell:
    """Return what this package's engine does where Chainer does a cell."""
    return dataclasses.replace(cell, engine=ENGINE)


def faithful(cell: Cell) -> Cell:
    """Return the paper's cell that one is beside."""
    return dataclasses.replace(cell, engine=CHAINER)


def cells(table: RateTable) -> tuple[Cell, ...]:
    """Return the cells of a table, each of the CPU with the added one beside it."""
    found: list[Cell] = []
    for cell in table.cells:
        found += [cell, beside(cell)] if cell.column == "CPU" else [cell]
    return tuple(found)
