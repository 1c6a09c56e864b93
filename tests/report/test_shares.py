from __future__ import annotations

import dataclasses

import pytest
from machine_records import BYTES, FLOPS, ceiling, machine, rate, whole

from chainer_style.experiments.ceilings import Ceiling
from chainer_style.experiments.digits import DigitsCell, DigitsRecord
from chainer_style.experiments.training import TrainingCell, TrainingRecord
from chainer_style.paper import Cell
from chainer_style.report import arithmetic, roofline, shares
from chainer_style.themes import DARK, LIGHT, save

VGG = Cell("vgg16", 128, "CPU")


def test_a_share_is_of_the_same_machines_product():
    found = {s.work.title: s for s in shares.shares(whole())}
    share = found["VGG-16, 128 px, CPU"]
    counted = arithmetic.iteration_flops(VGG)
    assert share.work.flops_per_second == pytest.approx(counted / 0.4)
    assert share.of_product == pytest.approx(counted / 0.4 / FLOPS)
    assert share.ceiling.cell == Ceiling("CPU")
    record = whole().of("rates")[VGG]
    assert shares.share(record, whole()) == share.of_product


def test_a_single_thread_is_beside_a_single_threads_ceiling():
    own = whole()
    record = rate("one", VGG, 0.4, threads=1)
    assert shares.ceiling(own, "CPU", shares.threads(record)).cell.threads == "one"
    assert shares.share(record, own) == pytest.approx(
        2 * shares.share(rate("one", VGG, 0.4), own)
    )


def test_no_ceiling_no_share():
    bare = machine("bare", rate("bare", VGG, 0.4))
    (share,) = shares.shares(bare)
    assert share.ceiling is None
    assert share.of_product is None
    gpu = ceiling("bare", Ceiling("GPU"), 1, 1, reason="no CUDA device")
    assert shares.ceiling(machine("bare", gpu), "GPU", 2) is None


def test_threads_of_a_record_that_does_not_tell():
    record = rate("one", VGG, 0.4)
    record.environment["blas"] = [{"num_threads": None}]
    assert shares.threads(record) == 2
    record.environment["blas"] = []
    assert shares.threads(record) == 2


def test_this_packages_engine_has_its_own_threads_and_no_dot():
    own = rate("one", dataclasses.replace(VGG, engine="cpu"), 0.1, threads=1)
    own.settings["threads"] = 2
    faithful = rate("one", VGG, 0.4)
    ceilings = [ceiling("one", Ceiling("CPU"), FLOPS, BYTES)]
    found = shares.shares(machine("one", *ceilings, faithful, own))
    first, second = found
    assert second.work.title == "VGG-16, 128 px, this package’s CPU engine"
    assert second.ceiling.cell == Ceiling("CPU")
    assert second.of_product == pytest.approx(4 * first.of_product)
    assert second.work.flops_per_byte is None
    drawn = roofline.draw(machine("one", *ceilings, faithful, own), LIGHT)
    dots = [line for line in drawn.axes[0].lines if len(line.get_xdata()) == 1]
    assert len(dots) == 1


def test_layer_costs():
    """conv1_1 of VGG at 8 px, counted by hand."""
    first = arithmetic.layer_costs("vgg16", 16)[0]
    pixels = 16 * 16
    assert first.name == "conv1_1"
    assert first.flops == 2 * pixels * 64 * 27
    assert first.least_bytes == 4 * (3 * pixels + 64 * 27 + 64 + 64 * pixels)
    assert first.column_bytes == first.least_bytes + 2 * 4 * 27 * pixels
    costs = arithmetic.layer_costs("vgg16", 16)
    network = arithmetic.network_of_2016("vgg16")
    assert sum(cost.flops for cost in costs) == network.flops(16, 16)
    intensity = arithmetic.flops_per_byte("vgg16", 16)
    assert min(c.flops / c.column_bytes for c in costs) < intensity
    assert max(c.flops / c.column_bytes for c in costs) > intensity


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_roofline(theme):
    figure = roofline.draw(whole(), theme)
    (axes,) = figure.axes
    roofs = {
        tuple(line.get_ydata()): tuple(line.get_xdata())
        for line in axes.get_lines()
        if len(line.get_xdata()) == 3
    }
    left = roofline.LEFT
    assert set(roofs) == {
        (left * BYTES, FLOPS / 2, FLOPS / 2),
        (left * BYTES, FLOPS, FLOPS),
    }
    assert sorted(xs[1] for xs in roofs.values()) == [4, 8]
    words = " ".join(text.get_text() for text in axes.texts)
    assert "CPU, all threads: 137 GFLOP/s, 17.2 GB/s" in words
    assert "VGG-16, 128 px, CPU" in words
    dots = [line for line in axes.get_lines() if len(line.get_xdata()) == 1]
    assert len(dots) == 2
    assert save(figure, "svg").startswith(b"<?xml")


def test_a_roofline_without_experiments():
    own = machine("one", ceiling("one", Ceiling("CPU"), 1e11, 1e10))
    assert save(roofline.draw(own, LIGHT), "png")


def test_training_and_digits_have_a_share_too():
    own = rate("one", VGG, 0.4).environment
    training = TrainingRecord(
        cell=TrainingCell("alexnet_owt", "chainer", "CPU"),
        environment=own,
        seconds=[9.0, 2.0],
        dropped=1,
        batch=4,
    )
    digits = DigitsRecord(
        cell=DigitsCell("GPU"),
        environment=own,
        seconds=[5.0],
        settings={"digits": {"learned": 1000, "height": 28}},
    )
    found = shares.shares(machine("one", training, digits))
    trained, learned = (share.work for share in found)
    assert trained.device == "CPU"
    assert trained.flops_per_second == pytest.approx(training.flops_per_second)
    assert learned.device == "GPU"
    # Three times the forward pass: 32 and 64 maps of 3×3, then 12·12·64 to 128.
    forward = 2 * (26 * 26 * 9 * 32 + 24 * 24 * 9 * 32 * 64 + 9216 * 128 + 1280)
    assert learned.flops_per_second == pytest.approx(3 * forward * 200, rel=0.02)
