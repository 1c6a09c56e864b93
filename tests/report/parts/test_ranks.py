from __future__ import annotations

import json
import re

import pytest
from machine_records import rate

from chainer_style.paper import Cell
from chainer_style.report import html, parts, together
from chainer_style.report.machines import Machine


def row(ranks, *turns):
    return {
        "network": "vgg16",
        "size": 512,
        "ranks": ranks,
        "threads": 1,
        "turns": list(turns),
        "bandwidth": 5e9,
        "latency": 1e-5,
    }


@pytest.fixture
def page(tmp_path):
    """Return what makes the part of a record, as text without tags."""

    def page(document):
        path = tmp_path / together.FILE
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(document))
        cell = Cell("vgg16", 128, "CPU")
        own = Machine("one", tmp_path, {"rates": {cell: rate("one", cell, 0.5)}})
        text = html.convert(parts.render("ranks", [own]), "p")
        return " ".join(re.sub("<[^>]*>", " ", text).split())

    return page


def test_without_records(tmp_path):
    nothing = "No machine has a record of it yet."
    assert nothing in parts.render("ranks", [])
    assert nothing in parts.render("ranks", [Machine("one", tmp_path, {})])


def test_gain_beside_what_is_expected(page):
    one, two = row(1, 1.0, 1.2, 1.0), row(2, 0.5, 0.6, 0.8)
    text = page({"format": 1, "rows": [one, two]})
    found = re.search(r"VGG-16, 512 px, 2 ranks 1\.00 0\.60 2\.00 (1\.\d+) 100 %", text)
    assert found is not None
    assert 1.7 < float(found[1]) < 1.95
    assert "Expected, not measured: 16384×16384 px" in text
    assert "512 bands thinner than their margins —" in text


@pytest.mark.parametrize("document", [{"format": 2, "rows": []}, {"format": 1}, []])
def test_a_damaged_record_is_named(page, document):
    assert "Skipped:" in page(document)
