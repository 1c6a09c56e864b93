from __future__ import annotations

from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from hypothesis import given, settings
from hypothesis import strategies as st

from chainer_style.paper import RATE_TABLES, RateTable
from chainer_style.report import grid, machines, tables
from chainer_style.report.tables import Box, Layout

STRICT = {"report_level": 2, "halt_level": 2}


def parse(text: str) -> nodes.document:
    return publish_doctree(text, settings_overrides=STRICT)


def cells(table: nodes.table) -> dict[tuple[int, int], nodes.entry]:
    """Return the entry that covers each place of a table."""
    found: dict[tuple[int, int], nodes.entry] = {}
    for i, row in enumerate(table.findall(nodes.row)):
        j = 0
        for entry in row:
            while (i, j) in found:
                j += 1
            for down in range(entry.get("morerows", 0) + 1):
                for right in range(entry.get("morecols", 0) + 1):
                    found[i + down, j + right] = entry
    return found


def words(entry: nodes.entry) -> str:
    return " ".join(entry.astext().split())


@pytest.mark.parametrize("machine", ["short", "long"])
@pytest.mark.parametrize("table", RATE_TABLES.values(), ids=lambda t: str(t.number))
def test_table_holds_the_paper_and_today(
    results: Path, built: dict[str, Path], machine: str, table: RateTable
) -> None:
    """Every box stands where the layout has it, and its words with it."""
    text = (built[machine] / f"table{table.number}.rst").read_text()
    (found,) = parse(text).findall(nodes.table)
    title = found.next_node(nodes.title).astext()
    layout = tables.layout(table, machines.read(results, machine).machines)
    assert title == f"Table {table.number}. {layout.caption}"
    drawn = cells(found)
    taken: set[tuple[int, int]] = set()
    for i, row in enumerate([*layout.head, *layout.rows]):
        j = 0
        for box in row:
            while (i, j) in taken:
                j += 1
            entry = drawn[i, j]
            assert words(entry) == box.text
            assert (entry.next_node(nodes.emphasis) is not None) is (box.kind == "rate")
            places = {
                (i + y, j + x) for y in range(box.rows) for x in range(box.columns)
            }
            assert {place for place, e in drawn.items() if e is entry} == places
            taken |= places
    assert taken == drawn.keys()


@settings(max_examples=50)
@given(
    # A line of nothing but backslashes underlines a title, escaped or not.
    marks=st.text(st.sampled_from("ab *`_|\\≈'"), max_size=60).filter(
        lambda marks: "\\\\" not in marks
    ),
    rows=st.integers(1, 4),
)
def test_any_words_survive(marks: str, rows: int) -> None:
    text = f"word {marks}"
    body = [[Box("1", "label"), Box(text, "note", rows=rows)]]
    body += [[Box(str(i), "label")] for i in range(2, rows + 1)]
    head = [[Box("Minutes", "head"), Box("CPU", "head")]]
    layout = Layout(4, "Caption.", head, body, [], width=2)
    (table,) = parse(grid.render(layout)).findall(nodes.table)
    entry = cells(table)[1, 1]
    assert entry.get("morerows", 0) == rows - 1
    assert words(entry) == " ".join(text.split())
