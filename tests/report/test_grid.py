from __future__ import annotations

from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from hypothesis import given, settings
from hypothesis import strategies as st

from chainer_style.paper import COLUMNS, ITERATIONS, MINUTES, RATE_TABLES, RateTable
from chainer_style.report import grid
from chainer_style.report.tables import Block, Box, Layout

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
    built: dict[str, Path], machine: str, table: RateTable
) -> None:
    text = (built[machine] / f"table{table.number}.rst").read_text()
    (found,) = parse(text).findall(nodes.table)
    title = found.next_node(nodes.title).astext()
    assert title.startswith(f"Table {table.number}.")
    trained = (machine, table.number) == ("long", 5)
    assert ("seeded (untrained) weights" in title) is not trained
    assert title.endswith("weights.")
    grid = cells(found)
    tops = [(row, column) for row in table.rows for column in COLUMNS]
    for j, ((_, size), column) in enumerate(tops, 1):
        assert words(grid[0, j]).endswith(f"{size} px")
        assert words(grid[1, j]) == column
    for j, cell in enumerate(table.cells, 1):
        for i, minute in enumerate(MINUTES):
            # Two rows of headings, the paper's title; and so on, block by block.
            paper, today, ratio = (grid[3 + i + k * 6, j] for k in range(3))
            assert words(grid[3 + i, 0]) == str(minute)
            if cell.column == "cuDNN":
                assert "'GPU mode only' was faster" in words(paper)
            else:
                assert words(paper) == str(ITERATIONS[cell][i])
            if machine == "short" and cell.column != "CPU":
                assert words(today) == "not measured: no CUDA device"
                assert words(ratio) == "—"
            elif cell.key == "nin-128-cudnn":
                assert words(today) == "not measured: out of memory at 4 GiB"
            else:
                marked = machine == "short"
                assert words(today).startswith("≈") is marked
                assert (today.next_node(nodes.emphasis) is not None) is marked
                assert float(words(today).removeprefix("≈ ")) > 0


@settings(max_examples=50)
@given(
    marks=st.text(st.sampled_from("ab *`_|\\≈'"), max_size=60),
    rows=st.integers(1, 4),
)
def test_any_words_survive(marks: str, rows: int) -> None:
    text = f"word {marks}"
    body = [[Box("1", "label"), Box(text, "note", rows=rows)]]
    body += [[Box(str(i), "label")] for i in range(2, rows + 1)]
    head = [[Box("Minutes", "head"), Box("CPU", "head")]]
    layout = Layout(4, "Caption.", head, [Block("Title", body)], [], width=2)
    (table,) = parse(grid.render(layout)).findall(nodes.table)
    entry = cells(table)[2, 1]
    assert entry.get("morerows", 0) == rows - 1
    assert words(entry) == " ".join(text.split())
