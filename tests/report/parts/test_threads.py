from __future__ import annotations

import json
import re

import pytest
from machine_records import rate

from chainer_style.paper import Cell
from chainer_style.report import html, parts, scaling
from chainer_style.report.machines import Machine
from chainer_style.report.scaling import Row


def row(threads, *turns, **more):
    own = {"network": "vgg16", "size": 128, "threads": threads, "turns": list(turns)}
    return own | more


@pytest.fixture
def page(tmp_path):
    """Return what makes the part of a record, as text without tags."""

    def page(document):
        path = tmp_path / scaling.FILE
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(document))
        cell = Cell("vgg16", 128, "CPU")
        own = Machine("one", tmp_path, {"rates": {cell: rate("one", cell, 0.5)}})
        text = html.convert(parts.render("threads", [own]), "p")
        return " ".join(re.sub("<[^>]*>", " ", text).split())

    return page


def test_without_records(tmp_path):
    nothing = "No machine has a record of it yet."
    assert nothing in parts.render("threads", [])
    assert nothing in parts.render("threads", [Machine("one", tmp_path, {})])


def test_gain_is_the_median_over_the_rounds(page):
    one, two = row(1, 0.06, 0.08, 0.06), row(2, 0.04, 0.04, 0.03)
    lone = row(2, 0.01, size=256)
    text = page({"format": 1, "rows": [one, two, lone]})
    assert "VGG-16, 128 px 2 60.0 40.0 2.00 —" in text
    assert "256" not in text


def test_only_several_threads_gain():
    one, two = Row("vgg16", 128, 1, [2.0]), Row("vgg16", 128, 2, [1.0])
    assert scaling.gain(one, [one, two]) is None
    assert scaling.gain(two, [two]) is None
    assert scaling.gain(two, [one, two]) == 2


@pytest.mark.parametrize("document", [{"format": 2, "rows": []}, {"format": 1}, []])
def test_a_damaged_record_is_named(page, document):
    assert "Skipped:" in page(document)
