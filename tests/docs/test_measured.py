"""The page of results, with records and without."""

from __future__ import annotations

import re
import subprocess
import sys

import measured
import pytest
from docutils import nodes
from docutils.core import publish_doctree


@pytest.fixture
def page(folder):
    settings = {
        "report_level": 1,
        "halt_level": 2,
        "doctitle_xform": False,
        "line_length_limit": 10**7,  # as in Sphinx: charts are one line each
    }
    text = f"Results\n=======\n\n{measured.results(folder)}"
    return publish_doctree(text, settings_overrides=settings)


def test_without_records_the_page_says_so(tmp_path):
    (tmp_path / "report").mkdir()
    assert measured.results(tmp_path) == measured.NOTHING
    assert measured.results(tmp_path / "missing") == measured.NOTHING


def test_every_machine_has_a_section(page):
    titles = [node.astext() for node in page.findall(nodes.title)]
    assert [title for title in titles if title in ("one", "two")] == ["one", "two"]
    assert "Processor | of one*" in page.astext()


def test_medians_spread_and_memory(page):
    first = next(page.findall(nodes.table))
    rows = [[e.astext() for e in row] for row in first.findall(nodes.row)]
    memory = "700\N{NO-BREAK SPACE}MiB"
    assert rows[1:] == [
        ["VGG-16, 128 px, CPU", "500", "500 to 500", "20", memory],
        ["VGG-16, 128 px, GPU", "125", "125 to 125", "20", memory],
    ]


def test_weights_where_they_differ(folder, monkeypatch):
    labels = iter(["of one", "of another"])
    monkeypatch.setattr(measured.machines, "weights_label", lambda record: next(labels))
    made = measured.cells(measured.found(folder)[0])
    assert all(f"- {word}\n" in made for word in ("Weights", "of one", "of another"))


def test_a_cell_without_a_time_has_its_reason(page):
    assert re.search(
        r"Not measured \(no CUDA device\): VGG-16, 128 px, GPU", page.astext()
    )
    assert "Not measured (no record of it yet; run: make table5): " in page.astext()


@pytest.mark.slow
@pytest.mark.parametrize("with_records", [True, False])
def test_the_documentation_builds_without_warnings(
    with_records, folder, root, tmp_path_factory
):
    pytest.importorskip("furo")
    pytest.importorskip("sphinx_click")
    out = tmp_path_factory.mktemp("docs")
    results = folder if with_records else out
    subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"),
            *("-D", f"computed_results={results}", "-d", out / "trees"),
            *(root / "docs", out / "html"),
        ],
        check=True,
    )
    page = (out / "html" / "results.html").read_text(encoding="utf-8")
    assert ("125 to 125" in page) == with_records
    assert (measured.NOTHING in page) != with_records
