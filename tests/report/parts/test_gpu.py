from __future__ import annotations

import re

import cards
import pytest
from machine_records import rate

from chainer_style.paper import Cell
from chainer_style.report import html, parts
from chainer_style.report.machines import Machine


@pytest.fixture
def page(tmp_path):
    """Return what makes a part of records, as text without tags."""

    def page(name, *documents):
        folder = cards.write(tmp_path, *documents)
        cell = Cell("vgg16", 128, "CPU")
        own = Machine("one", folder, {"rates": {cell: rate("one", cell, 0.5)}})
        text = html.convert(parts.render(name, [own]), "p")
        return " ".join(re.sub("<[^>]*>", " ", text).split())

    return page


@pytest.mark.parametrize("name", ["gpu", "gpu_kernels"])
def test_without_records_one_sentence_says_so_and_what_to_do(name, tmp_path):
    for machines in ([], [Machine("one", tmp_path, {})]):
        text = parts.render(name, machines)
        assert "Nothing of this was measured yet" in text
        assert f"``python benchmarks/{name}.py`` measures it." in text
        assert "list-table" not in text


def test_numbers_ratios_and_circumstances(page):
    text = page(
        "gpu",
        cards.document(size=64),
        cards.document(
            size=1024, times={"cuda": 0.02}, reasons={"torch-graph": "gone"}
        ),
    )
    assert "Card *9*, driver 580.1, 700 W at most" in text
    assert "2026-01-02; Python 3.12.0, chainer_style 0.1.0, Chainer 7.8.1" in text
    assert "PyTorch 2.9_x, cuDNN 9.1" in text
    assert "The *cuda* 1.00 20.0" in text
    assert "The *cuda* 1000 50.0" in text
    assert "The *cuda* 6.00 / 2.00 0.300 / 0.300" in text
    met = "VGG-16, 64 px tf32 times as fast as PyTorch, eager ≥ 5 6.00 met"
    assert met in text
    assert "of PyTorch’s least memory ≤ 0.5 3.33 missed" in text
    assert "The *torch-graph* 2.00 —" in text
    assert "Not measured: The *torch-graph*, VGG-16 at 1024 px in tf32 (gone)." in text
    assert "VGG-16, tf32: a matrix product 100 TFLOP/s, memory 1000 GB/s." in text
    assert "The *cuda* 1049 20972" in text  # MiB
    assert "The *cuda* 524 10486" in text
    assert "The *chainer-gpu* float32 5.0e-02 1.0e-01" in text
    assert "Nothing of this" not in text


def test_a_damaged_record_is_named(page):
    assert "Skipped:" in page("gpu", {"format": 1})
    assert "Skipped:" in page(
        "gpu_kernels", {"format": 1, "experiment": "benchmarks/gpu_kernels"}
    )


def test_kernels(page):
    text = page("gpu_kernels", cards.traces(size=64), cards.traces())
    assert "Engine *cuda*, VGG-16, tf32: milliseconds of each kind of work" in text
    assert "convolutions 0.400 (40 %) 0.400 (40 %)" in text
    assert "between kernels 0.200 (20 %) 0.200 (20 %)" in text
    assert "an iteration 1.00 (100 %) 1.00 (100 %)" in text
    assert "its kernels 27 27" in text
    assert "VGG-16, 128 px, tf32: the longest kernels." in text
    assert "sm90_xmma_dgrad_implicit_gemm_tf32 convolutions back 9 300 30 %" in text
