"""A table as reStructuredText: a grid table, for the documentation to include."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chainer_style.report.tables import Box, Layout

LEAST = 10
"""Least width of a column, in characters: words wrap within it."""

MOST = 16
"""Most width that a heading of several words asks for."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """A box with the row and column of its top left corner."""

    row: int
    column: int
    box: Box


def render(layout: Layout) -> str:
    """Return the table, its caption and its notes."""
    rows = [*layout.head, *layout.rows]
    grid = _draw(list(_place(rows, layout.width)), len(layout.head))
    return "\n".join(
        [
            ".. Made from the records by chainer_style.report; do not edit.",
            "",
            f".. table:: Table {layout.number}. {_escape(layout.caption)}",
            "",
            *(f"   {line}" for line in grid),
            "",
            *(_escape(note) for note in layout.notes),
            "",
        ]
    )


def _place(rows: Sequence[Sequence[Box]], width: int) -> Iterator[_Placed]:
    """Give every box its place, as HTML does: in the first free column."""
    taken: set[tuple[int, int]] = set()
    for i, boxes in enumerate(rows):
        free = (j for j in range(width) if (i, j) not in taken)
        for box in boxes:
            j = next(free)
            for _ in range(box.columns - 1):
                next(free)
            taken.update((i + k, j) for k in range(1, box.rows))
            yield _Placed(i, j, box)


def _draw(placed: Sequence[_Placed], head: int) -> list[str]:
    """Draw boxes whose text wraps, with a double line below the head rows."""
    across = _edges(_widths(placed))
    texts = [
        _wrap(p.box, across[p.column + p.box.columns] - across[p.column] - 3)
        for p in placed
    ]
    down = _edges(_heights(placed, texts))
    canvas = [[" "] * (across[-1] + 1) for _ in range(down[-1] + 1)]
    corners = []
    for p in placed:
        top, bottom = down[p.row], down[p.row + p.box.rows]
        left, right = across[p.column], across[p.column + p.box.columns]
        for x in range(left, right + 1):
            canvas[top][x] = canvas[bottom][x] = "-"
        corners += [(top, left), (top, right), (bottom, left), (bottom, right)]
    for p, lines in zip(placed, texts, strict=True):
        top, bottom = down[p.row], down[p.row + p.box.rows]
        left, right = across[p.column], across[p.column + p.box.columns]
        for y in range(top, bottom + 1):
            for x in (left, right):
                canvas[y][x] = "+" if canvas[y][x] in "-+" else "|"
        for y, line in enumerate(lines, top + 1):
            canvas[y][left + 2 : left + 2 + len(line)] = line
    for y, x in corners:
        canvas[y][x] = "+"
    canvas[down[head]] = ["=" if c == "-" else c for c in canvas[down[head]]]
    return ["".join(line).rstrip() for line in canvas]


def _edges(lengths: Sequence[int]) -> list[int]:
    """Return where the lines between columns (or rows) run."""
    edges = [0]
    for length in lengths:
        edges.append(edges[-1] + length + 1)
    return edges


def _widths(placed: Sequence[_Placed]) -> list[int]:
    """Return the width of every column: its numbers, and the words that it wraps."""
    widths = [LEAST + 2] * max(p.column + p.box.columns for p in placed)
    for p in placed:
        if p.box.columns == 1:
            longest = max(map(len, _text(p.box).split() or [""]))
            if p.box.kind != "note":
                longest = max(longest, min(len(_text(p.box)), MOST))
            widths[p.column] = max(widths[p.column], longest + 2)
    return widths


def _heights(placed: Sequence[_Placed], texts: Sequence[Sequence[str]]) -> list[int]:
    """Return the number of lines of every row."""
    heights = [1] * max(p.row + p.box.rows for p in placed)
    for p, lines in sorted(
        zip(placed, texts, strict=True), key=lambda pair: pair[0].box.rows
    ):
        last = p.row + p.box.rows - 1
        room = sum(heights[p.row : last + 1]) + p.box.rows - 1
        heights[last] += max(len(lines) - room, 0)
    return heights


def _wrap(box: Box, width: int) -> list[str]:
    return textwrap.wrap(_text(box), width, break_long_words=False)


def _text(box: Box) -> str:
    text = _escape(box.text)
    return f"*{text}*" if box.kind == "rate" else text


def _escape(text: str) -> str:
    return re.sub(r"([\\*`_|])", r"\\\1", text)
