from __future__ import annotations

import re

import profiles_made
import pytest
from machine_records import rate

from chainer_style.paper import Cell
from chainer_style.report import html, parts
from chainer_style.report.machines import Machine


@pytest.fixture
def page(tmp_path):
    """Return what makes the part of records, as text without tags."""

    def page(*documents, tags=False):
        folder = profiles_made.write(tmp_path, *documents)
        cell = Cell("vgg16", 128, "CPU")
        own = Machine("one", folder, {"rates": {cell: rate("one", cell, 0.5)}})
        text = html.convert(parts.render("phases", [own]), "p")
        return text if tags else " ".join(re.sub("<[^>]*>", " ", text).split())

    return page


def test_without_records(tmp_path):
    nothing = "No machine has records of this measurement yet."
    assert nothing in parts.render("phases", [])
    assert nothing in parts.render("phases", [Machine("one", tmp_path, {})])


def test_times_shares_floors_and_memory(page):
    text = page(
        profiles_made.document(size=64, steps=profiles_made.STEPS[:3]),
        profiles_made.document(size=128),
        profiles_made.document("nin", 128, 2),
    )
    assert "VGG-16, one thread: milliseconds of each phase" in text
    assert "convolutions back — 60.0 (38 %)" in text
    assert "pooling 6.00 (4 %) 10.0 (6 %)" in text
    assert "an iteration 160 (100 %) 160 (100 %)" in text
    assert "convolutions back — 20.0 p × 3.00" in text
    assert "pooling 2.00 m × 3.00 4.00 m × 2.50" in text
    assert "VGG-16, one thread: sgemm 100 GFLOP/s and memory 10.0 GB/s." in text
    assert "VGG-16, one thread 100 / 103 100 / 103" in text
    assert "NIN, 2 threads 100 / 103" in text
    assert text.count("predicted / measured") == 2


def test_a_damaged_record_is_named(page):
    assert "Skipped:" in page({"format": 1})


def test_charts_for_light_and_dark_pages(page):
    documents = [profiles_made.document(size=size) for size in (64, 128)]
    assert page(*documents, tags=True).count("<img") == 2
