from __future__ import annotations

import json
import re

import pytest
from machine_records import rate

from chainer_style.paper import Cell
from chainer_style.report import html, parts, precisions
from chainer_style.report.machines import Machine


def row(precision, **more):
    made = {
        "network": "vgg16",
        "size": 128,
        "precision": precision,
        "seconds": 0.06,
        "loss_deviation": 1e-7,
        "gradient_deviation": 2e-6,
        "apart": 0.0,
        "moved": 12.0,
    }
    return {**made, **more}


@pytest.fixture
def page(tmp_path):
    """Return what makes the part of a record, as text without tags."""

    def page(document):
        path = tmp_path / precisions.FILE
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(document))
        cell = Cell("vgg16", 128, "CPU")
        own = Machine("one", tmp_path, {"rates": {cell: rate("one", cell, 0.5)}})
        text = html.convert(parts.render("precision", [own]), "p")
        return " ".join(re.sub("<[^>]*>", " ", text).split())

    return page


def test_without_records(tmp_path):
    nothing = "No machine has a record of it yet."
    assert nothing in parts.render("precision", [])
    assert nothing in parts.render("precision", [Machine("one", tmp_path, {})])


def test_gain_and_deviation(page):
    half = row("bf16", seconds=0.04, gradient_deviation=0.03, apart=0.25)
    text = page({"format": 1, "rows": [row("float32"), half]})
    assert "VGG-16 128 px, float32 60.0 1.00 1e-07 2e-06 0.00 of 12.0" in text
    assert "VGG-16 128 px, bf16 40.0 1.50 1e-07 3e-02 0.25 of 12.0" in text


@pytest.mark.parametrize("document", [{"format": 2, "rows": []}, {"format": 1}, []])
def test_a_damaged_record_is_named(page, document):
    assert "Skipped:" in page(document)
