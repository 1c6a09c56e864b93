from __future__ import annotations

import pytest
from machine_records import ceiling, machine, rate, whole

from chainer_style.experiments.ceilings import Ceiling
from chainer_style.paper import Cell
from chainer_style.report import gtx960, html, parts


def text(*machines):
    return " ".join(html.convert(parts.render("ceilings", machines), "c").split())


def test_without_records():
    page = text()
    assert "No machine has records of its ceilings yet." in page
    assert "conv4_3" in page
    assert "GeForce GTX 960" in page


def test_the_numbers_of_a_machine():
    page = text(whole())
    assert "reached 137 GFLOP/s and memory 17.2 GB/s" in page
    assert "from 8.00 operations per byte on" in page
    # 1/8 operation per byte, 2^34 bytes per second.
    assert "cannot do more than 2.15 GFLOP/s" in page
    assert "1.56 % of the product’s speed" in page
    assert "GPU: no CUDA device" in page
    assert "conv1_1 is bound by the memory" in page
    assert page.count("<img") == 2


def test_shares_of_several_machines():
    slow = machine("slow", rate("slow", Cell("nin", 128, "CPU"), 1.0))
    fast = machine("fast", ceiling("fast", Ceiling("CPU"), 1e12, 1e10))
    page = text(whole(), slow, fast)
    assert "Processor_one, 2 cores: GFLOP/s" in page
    assert "no ceiling" in page
    assert "CPU, all threads, Processor_fast, 2 cores" in page
    assert page.count("<img") == 4


def test_a_memory_so_fast_that_no_layer_waits_for_it():
    own = machine("m", ceiling("m", Ceiling("CPU"), 1e11, 1e11))
    assert "every layer is bound by the arithmetic" in text(own)


def test_the_card_of_2016():
    """NVIDIA's own numbers, as the source prints them."""
    assert pytest.approx(2.413e12, rel=1e-3) == gtx960.FLOPS_PER_SECOND
    assert pytest.approx(112.2e9, rel=1e-3) == gtx960.BYTES_PER_SECOND
    page = text()
    # 721.9 iterations a minute, twice 9.1 GFLOP each, of 2.41 TFLOP/s.
    row = page.partition("VGG-16, 128 px, GPU")[2].partition("</tr>")[0]
    assert "219" in row
    assert "9.09 %" in row
