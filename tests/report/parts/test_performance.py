from __future__ import annotations

import re

import contests
import pytest
from machine_records import rate

from chainer_style.paper import Cell
from chainer_style.report import html, parts
from chainer_style.report.machines import Machine


@pytest.fixture
def page(tmp_path):
    """Return what makes the part of records, as text without tags."""

    def page(*documents, tags=False):
        folder = contests.write(tmp_path, *documents)
        cell = Cell("vgg16", 128, "CPU")
        own = Machine("one", folder, {"rates": {cell: rate("one", cell, 0.5)}})
        text = html.convert(parts.render("performance", [own]), "p")
        return text if tags else " ".join(re.sub("<[^>]*>", " ", text).split())

    return page


def test_without_records(tmp_path):
    nothing = "No machine has records of this comparison yet."
    assert nothing in parts.render("performance", [])
    assert nothing in parts.render("performance", [Machine("one", tmp_path, {})])


def test_numbers_ratios_and_circumstances(page):
    text = page(
        contests.document(size=64, times={"numpy": 0.1}),
        contests.document(size=128),
        contests.document("nin", 128, 2),
    )
    assert "2026-01-02; Python 3.12.0, chainer_style 0.1.0, Chainer 7.8.1" in text
    assert "PyTorch 2.9_x" in text
    assert (
        "VGG-16, one thread: 2.50 to 5.00 times as fast as the best of PyTorch." in text
    )
    assert "VGG-16, one thread: 6.00 to 12.0 times as fast as the loop of 2016" in text
    assert "NIN, 2 threads: 2.50 times as fast as the best of PyTorch." in text
    assert "The *torch-compile* 500 500" in text
    assert "The *numpy*: the best of PyTorch 5.00 2.50" in text
    assert "The *numpy* 102 205" in text  # MiB
    assert "The *chainer-2016* 1.2e-06 1.2e-05" in text
    assert "Not measured" not in text


def test_shares_of_the_ceiling(page):
    text = page(contests.document(times={"numpy": 0.1}))
    # 19.3 GFLOP in 0.1 s, of 100 GFLOP/s.
    assert re.search(r"The \*numpy\* 193 \(193 %\)", text)


def test_who_is_missing_and_why(page):
    text = page(
        contests.document(reasons={"torch": "torch is not *installed*"}),
        contests.document(size=256),
        contests.document(
            "nin", 64, times={}, reasons=dict.fromkeys(contests.FAMILIES, "too small")
        ),
    )
    assert (
        "Not measured: The *torch*, VGG-16 at 128 px (torch is not *installed*)."
        in text
    )
    assert "Not measured: nobody" not in text
    assert "Not measured: everyone, NIN at 64 px (too small)." in text
    assert "The *torch* — 600" in text


def test_a_damaged_record_is_named(page):
    assert "Skipped:" in page({"format": 1})


def test_charts_for_light_and_dark_pages(page):
    documents = [contests.document(size=size) for size in (64, 128)]
    assert page(*documents, tags=True).count("<img") == 2
