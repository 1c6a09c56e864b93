from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from chainer_style.paper import ITERATIONS, Cell
from chainer_style.report import machines
from chainer_style.report.explain import Explanation


@pytest.fixture(scope="module")
def short(results: Path) -> Explanation:
    return Explanation(machines.read(results, "short").machines[0])


@pytest.fixture(scope="module")
def long(results: Path) -> Explanation:
    return Explanation(machines.read(results, "long").machines[0])


def test_every_column_is_one_rate(short: Explanation) -> None:
    assert len(short.columns) == len(ITERATIONS)
    for column in short.columns:
        assert column.deviation <= 0.1 + 1e-9
        assert column.seconds == pytest.approx(60 / column.rate)


def test_runs_that_fit_the_paper(short: Explanation) -> None:
    assert (short.requested, short.last_printed) == (5000, 4900)
    fits = {c.cell.key: c.whole for c in short.columns if c.whole}
    assert fits == {
        "nin-128-gpu": (4900, 5),
        "nin-128-cpu": (4900, 45),
        "vgg16-256-cpu": (4900, 153),
        "vgg16-128-cpu": (5000, 70),
    }


def test_factors_of_the_paper(short: Explanation) -> None:
    factors = {row.title: round(row.paper, 2) for row in short.gpu_over_cpu}
    assert factors == {
        "VGG-16, 64 px": 9.0,
        "VGG-16, 128 px": 10.11,
        "VGG-16, 256 px": 8.95,
        "NIN, 128 px": 9.0,
    }
    assert all(row.today is None for row in short.gpu_over_cpu)
    assert short.cudnn_over_gpu == []


def test_how_much_slower_large_pictures_are(short: Explanation) -> None:
    assert short.more_work(64, 256) == 16
    assert short.slower(64, 256, "CPU").paper == pytest.approx(2.94, abs=0.005)
    assert short.slower(64, 256, "GPU").paper == pytest.approx(2.96, abs=0.005)
    assert short.slower(128, 256, "CPU").paper == pytest.approx(2.23, abs=0.005)
    assert short.slower(128, 256, "GPU").paper == pytest.approx(2.52, abs=0.005)


@pytest.mark.parametrize("column", ["CPU", "GPU"])
def test_fixed_share_solves_the_two_equations(short: Explanation, column: str) -> None:
    at = [60 * 5 / ITERATIONS[Cell("vgg16", size, column)][-1] for size in (64, 256)]
    fixed = short.fixed_share(64, 256, column) * at[0]
    per_pixel = (at[0] - fixed) / 64**2
    assert fixed + per_pixel * 256**2 == pytest.approx(at[1])


def test_today(long: Explanation) -> None:
    # conftest: 0.05 s on the GPU, 0.9 s on the CPU, 0.04 s with cuDNN.
    for row in long.gpu_over_cpu:
        assert row.today == pytest.approx(18, rel=0.1)
    assert len(long.cudnn_over_gpu) == 3
    for row in long.cudnn_over_gpu:
        assert row.today == pytest.approx(1.25, rel=0.1)
    assert len(long.ratios("CPU")) == 4
    assert long.missing("CPU") == {}
    assert long.unsteady == []
    assert long.few == []


def test_this_packages_engine_over_chainer(short: Explanation) -> None:
    # conftest: 0.3 s against 0.9 s.
    assert [row.title for row in short.engine_over_chainer] == [
        *(f"VGG-16, {size} px" for size in (64, 128, 256, 512)),
        "NIN, 128 px",
    ]
    for row in short.engine_over_chainer:
        assert row.paper is None
        assert row.today == pytest.approx(3, rel=0.1)
    # Where today is set against the paper, it is not meant.
    assert all(ratio < 2 for ratio in short.ratios("CPU"))


def test_missing(short: Explanation) -> None:
    assert {r: len(c) for r, c in short.missing("GPU").items()} == {"no CUDA device": 4}
    assert short.ratios("GPU") == []


def test_arithmetic(short: Explanation) -> None:
    for cell, flops, paper, today in short.arithmetic:
        if cell in ITERATIONS:
            assert paper == pytest.approx(flops * ITERATIONS[cell][-1] / 300)
        record = short.machine.measured(cell)
        assert (today is None) is (record is None)
        if record:
            assert math.isclose(today * record.median, flops)


def test_unsteady_and_few_are_named(results: Path) -> None:
    machine = machines.read(results, "short").machines[0]
    record = machine.rates[Cell("vgg16", 64, "CPU")]
    shaky = dataclasses.replace(record, seconds=[9.0, 1.0, 1.0, 2.0], dropped=1)
    why = Explanation(
        type(machine)("x", machine.folder, {"rates": {record.cell: shaky}})
    )
    # numpy.quantile([1, 1, 2], [0.1, 0.9]) is [1, 1.8].
    assert why.unsteady == [(record.cell, pytest.approx(1.8))]
    assert why.few == [(record.cell, 3)]
