from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from docutils import nodes
from docutils.core import publish_doctree

from chainer_style import paper
from chainer_style.report import html, machines, parts
from chainer_style.report.explain import Explanation
from chainer_style.report.parts import why

NOBODY = Explanation(why.NOBODY)


def cells(text: str) -> list[list[list[str]]]:
    """Return every table in some reStructuredText as rows of texts."""
    strict = {"report_level": 1, "halt_level": 2}
    document = publish_doctree(text, settings_overrides=strict)
    return [
        [[" ".join(entry.astext().split()) for entry in row] for row in rows]
        for table in document.findall(nodes.table)
        if (rows := list(table.findall(nodes.row)))
    ]


def test_rates_are_a_fifth_of_the_last_row() -> None:
    (rows,) = cells(why.rates(NOBODY))
    assert len(rows) == 1 + len(paper.ITERATIONS)
    shown = [float(row[1]) for row in rows[1:]]
    expected = [printed[-1] / 5 for printed in paper.ITERATIONS.values()]
    np.testing.assert_allclose(shown, expected, atol=0.005)


def test_a_column_that_fits_is_reproduced_to_the_last_digit() -> None:
    (rows,) = cells(why.rates(NOBODY))
    fits = dict(zip(paper.ITERATIONS, (row[-1] for row in rows[1:]), strict=True))
    for cell, text in fits.items():
        if found := re.fullmatch(r"(\d+) in (\d+) min", text):
            iterations, minutes = map(int, found.groups())
            computed = [round(iterations / minutes * m, 1) for m in paper.MINUTES]
            assert computed == list(paper.ITERATIONS[cell])
    assert fits[paper.Cell("nin", 128, "GPU")] == "4900 in 5 min"


def test_slowdowns_are_quotients_of_table_5() -> None:
    (rows,) = cells(why.slowdowns(NOBODY))
    for pair, arithmetic, *times in rows[1:]:
        small, large = map(int, re.findall(r"\d+", pair))
        assert float(arithmetic) == pytest.approx((large / small) ** 2, rel=0.01)
        for column, time in zip(("CPU", "GPU"), times, strict=True):
            one, two = (
                paper.ITERATIONS[paper.Cell("vgg16", s, column)][-1]
                for s in (small, large)
            )
            assert float(time) == pytest.approx(one / two, abs=0.005)


def test_todays_columns_are_there_where_something_was_measured(results: Path) -> None:
    long, short = machines.read(results, "long").machines
    (rows,) = cells(why.slowdowns(Explanation(long)))
    assert rows[0][3:] == ["Today, CPU", "The paper, GPU", "Today, GPU"]
    small, large = (
        long.measured(paper.Cell("vgg16", size, "GPU")) for size in (64, 128)
    )
    assert small
    assert large
    assert float(rows[1][5]) == pytest.approx(large.median / small.median, rel=5e-3)
    (rows,) = cells(why.slowdowns(Explanation(short)))
    assert {row[5] for row in rows[1:]} == {"—"}


@pytest.mark.parametrize("leading", ["long", "short", None])
def test_the_part_reads_well_with_and_without_records(
    results: Path, leading: str | None
) -> None:
    found = machines.read(results, leading).machines if leading else []
    text = parts.render("why", found)
    assert len(cells(text)) == 3
    page = html.convert(text, "why")
    assert ("This one:" in page) is (leading is not None)
    assert ("no GPU was measured here" in page) is (leading == "short")
    assert ("finding is reversed" in page) is (leading == "long")
    assert page.count("<section") == (8 if leading else 7)
