"""Engine cuda on a card: the reference's losses, gradients and pictures."""

from __future__ import annotations

import numpy as np
import problems
import pytest

from chainer_style import engines
from chainer_style.engines.base import Device
from chainer_style.engines.cuda import first, onepass, tuning
from chainer_style.engines.cuda.steps import Units
from chainer_style.tiling import create as tiling
from chainer_style.tiling.create import Limits


@pytest.fixture
def hasty(monkeypatch):
    """A plan is as right as another, and building takes long."""
    monkeypatch.setattr(tuning, "TRIED", 2)


@pytest.mark.gpu
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16", "fp16"])
@pytest.mark.parametrize("name", ["vgg16", "nin", "googlenet", "alexnet"])
@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_a_card_gives_the_references_losses(weights_of, precision, name, protocol):
    bound = {"float32": 1e-4, "tf32": 2e-2, "bf16": 0.15, "fp16": 3e-2}[precision]
    least = problems.smallest(name, protocol)
    problem = problems.make(weights_of, name, least + 35, least + 50, protocol)
    true, gradient = problems.reference(problem)
    losses, found = engines.create("cuda", problem, Device(0), precision).evaluate(
        problem.start
    )
    assert losses.total == pytest.approx(true.total, rel=bound)
    np.testing.assert_allclose(losses.style, true.style, rtol=bound)
    assert problems.relative(found, gradient) < bound


@pytest.mark.gpu
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("precision", ["tf32", "bf16", "fp16"])
@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_taps_in_one_pass_on_a_card(
    weights_of, monkeypatch, precision, pooling, protocol
):
    problem = problems.make(weights_of, "vgg16", 70, 83, protocol, pooling=pooling)
    device = Device(0)
    two = engines.create("cuda", problem, device, precision).evaluate(problem.start)
    monkeypatch.setattr(onepass, "FULL", 1)
    one = engines.create("cuda", problem, device, precision).evaluate(problem.start)
    # The sums are rounded once instead of three times.
    bound = {"tf32": 1e-3, "bf16": 3e-2, "fp16": 4e-3}[precision]
    assert one[0].total == pytest.approx(two[0].total, rel=1e-5)
    assert problems.relative(one[1], two[1]) < bound


@pytest.mark.gpu
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("precision", ["tf32", "bf16", "fp16"])
@pytest.mark.parametrize("extents", [(70, 83), (129, 64)])
def test_convolutions_by_warpgroups_on_a_card(
    weights_of, monkeypatch, precision, extents
):
    monkeypatch.setattr(onepass, "FULL", 1)
    problem = problems.make(weights_of, "vgg16", *extents, "modern")
    device = Device(0)
    true, wanted = problems.reference(problem)
    theirs = engines.create("cuda", problem, device, precision)
    if theirs._machine.units < Units.WGMMA:
        pytest.skip(f"{theirs._machine.title} has no products by warpgroups")
    two = theirs.evaluate(problem.start)
    monkeypatch.setattr(first, "LEAST", 1)
    monkeypatch.setattr(first, "ALONE", 3)
    one = engines.create("cuda", problem, device, precision).evaluate(problem.start)
    # Both round, and which ReLU switches by that is chance. Where one cuts off, TF32 is
    # off by more.
    bound = {"tf32": 1e-3, "bf16": 3e-2, "fp16": 4e-3}[precision]
    assert one[0].total == pytest.approx(two[0].total, rel=bound)
    assert one[0].total == pytest.approx(true.total, rel=bound)
    own, other = (problems.relative(found[1], wanted) for found in (one, two))
    print(f"{own:.2e} from the reference, cuDNN's {other:.2e}")
    assert own < 1.2 * other


@pytest.mark.gpu
@pytest.mark.usefixtures("hasty")
def test_a_card_takes_the_references_way(weights_of):
    problem = problems.make(weights_of, "vgg16", 70, 75, "modern", iterations=80)
    precise = engines.create("chainer", problem, Device(), "float32")
    engine = engines.create("cuda", problem, Device(0), "float32")
    readers = [engine.step() for _ in range(80)]
    told = [precise.step()().total for _ in range(80)]
    assert [read().total for read in readers[:20]] == pytest.approx(told[:20], rel=1e-2)
    assert readers[-1]().total == pytest.approx(told[-1], rel=0.1)
    assert np.abs(engine.image - precise.image).mean() < 5
    state = engine.state
    other = engines.create("cuda", problem, Device(0), "float32")
    other.restore(state)
    assert other.step()() == engine.step()()


@pytest.mark.gpu
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
@pytest.mark.parametrize("full", [1, onepass.FULL])
@pytest.mark.parametrize(
    ("name", "pooling"), [("vgg16", "average"), ("vgg16", "max"), ("nin", "max")]
)
def test_tiles_on_a_card(weights_of, monkeypatch, name, pooling, full, precision):
    monkeypatch.setattr(onepass, "FULL", full)
    problem = problems.make(weights_of, name, 150, 221, "modern", pooling=pooling)
    given = problem, Device(0), precision
    true, wanted = tiling.create("cuda", *given).evaluate(problem.start)
    tiled = tiling.create("cuda", *given, limits=Limits(tile=64))
    losses, gradient = tiled.evaluate(problem.start)
    # What tiles share is rounded in each of them, and maxima may be others.
    bound = {"float32": 1e-2, "tf32": 2e-2, "bf16": 0.1}[precision]
    assert losses.total == pytest.approx(true.total, rel=bound / 10)
    assert problems.relative(gradient, wanted) < bound
    before = tiled.step()().total
    assert min(tiled.step()().total for _ in range(5)) < before
