from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from chainer_style.paper import ITERATIONS, RATE_TABLES, RateTable
from chainer_style.report import html, machines, parts


@pytest.mark.parametrize("table", RATE_TABLES.values(), ids=lambda t: str(t.number))
def test_the_part_holds_the_table_and_a_chart_of_every_machine(
    results: Path, table: RateTable
) -> None:
    text = parts.render(f"table{table.number}", machines.read(results).machines)
    strict = {"report_level": 2, "halt_level": 2, "line_length_limit": 10**8}
    document = publish_doctree(text, settings_overrides=strict)
    (found,) = document.findall(nodes.table)
    for cell in table.cells:
        for value in ITERATIONS.get(cell, ()):
            assert str(value) in found.astext()
    figures = list(document.findall(nodes.figure))
    assert [figure["classes"] for figure in figures] == 2 * [
        ["chart", "only-light"],
        ["chart", "only-dark"],
    ]
    for image in document.findall(nodes.image):
        assert b"<svg" in base64.b64decode(image["uri"].partition("base64,")[2])
    page = html.convert(text, "t")
    assert len(re.findall("<figure", page)) == 4


def test_without_records_the_papers_table_stands() -> None:
    text = parts.render("table4", [])
    assert "980" in text
    assert "figure::" not in text
