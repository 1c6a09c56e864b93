"""Engine cuda gives the reference's losses, gradient and pictures.

Its plan is run by a machine that computes the same kernels on the processor.
"""

from __future__ import annotations

import functools

import numpy as np
import problems
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainer_style import engines, networks
from chainer_style.engines.base import Device, State
from chainer_style.engines.cuda import first, onepass, windows
from chainer_style.engines.cuda import plan as plans
from chainer_style.engines.cuda.engine import CudaEngine
from chainer_style.engines.cuda.steps import Launch, Units
from chainer_style.errors import UserError

BOUNDS = {"float32": 5e-5, "bf16": 0.1, "fp16": 0.02}
"""Of losses and gradient; TF32 is float32 where no matrix unit computes."""

# Its channels make it slow, and nothing in it is not in the others.
NETWORKS = [
    pytest.param(n, marks=[pytest.mark.slow] if n == "illust2vec" else [])
    for n in networks.NETWORKS
]


@functools.cache
def reference(weights_of, name, height, width, protocol, **options):
    problem = problems.make(weights_of, name, height, width, protocol, **options)
    return problem, *problems.reference(problem)


def agree(engine, problem, true, gradient, bound):
    losses, found = engine.evaluate(problem.start)
    assert losses.total == pytest.approx(true.total, rel=bound)
    np.testing.assert_allclose(losses.content, true.content, rtol=bound)
    np.testing.assert_allclose(losses.style, true.style, rtol=bound)
    assert losses.variation == pytest.approx(true.variation, rel=bound)
    assert found.shape == problem.start.shape
    assert problems.relative(found, gradient) < bound


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_losses_and_gradient(weights_of, machine, precision, name, protocol):
    least = problems.smallest(name, protocol)
    known = reference(weights_of, name, least + 3, least + 8, protocol)
    engine = CudaEngine(known[0], machine(precision))
    agree(engine, *known, BOUNDS[precision])


def kernels_of(engine):
    """The kernels of an iteration, one after the other."""
    program = engine._plan._compiler.iteration(engine._plan.objective, None)
    return [step.kernel for step in program.steps if isinstance(step, Launch)]


@pytest.mark.parametrize(
    ("precision", "extents"),
    [("tf32", (32, 40)), *((p, (19, 27)) for p in ("tf32", "bf16", "fp16"))],
)
@pytest.mark.parametrize(
    ("protocol", "pooling"), [("2016", "average"), ("modern", "max")]
)
def test_taps_that_poolings_read_in_one_pass(
    weights_of, machine, monkeypatch, precision, pooling, protocol, extents
):
    known = reference(weights_of, "vgg16", *extents, protocol, pooling=pooling)
    several = CudaEngine(known[0], machine(precision)).evaluate(known[0].start)
    monkeypatch.setattr(onepass, "FULL", 1)
    monkeypatch.setattr(onepass, "BLOCKS", 8)
    engine = CudaEngine(known[0], machine(precision))
    kernels = kernels_of(engine)
    assert [name for name in kernels if name.startswith("tapped")] == [
        "tapped_256",
        "tapped_128",
        "tapped_64",
    ]
    assert "unpool" not in kernels
    assert {"first", "gram_64", "gram_128", "gather", "first_back"} < set(kernels)
    assert "spread" not in kernels
    if precision == "tf32":
        agree(engine, *known, BOUNDS["float32"])
    # Another maximum may be taken for a rounded map, but the same one by both.
    bound = {"tf32": 1e-6, "bf16": 0.05, "fp16": 0.006}[precision]
    assert problems.relative(engine.evaluate(known[0].start)[1], several[1]) < bound


@pytest.mark.parametrize(
    "precision", ["tf32", "bf16", pytest.param("fp16", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    ("extents", "protocol"), [((8, 50), "2016"), ((19, 27), "modern")]
)
def test_the_first_convolutions_by_warpgroups(
    weights_of, machine, monkeypatch, precision, extents, protocol
):
    known = reference(weights_of, "vgg16", *extents, protocol)
    monkeypatch.setattr(onepass, "FULL", 1)
    monkeypatch.setattr(first, "LEAST", 1)
    monkeypatch.setattr(first, "ALONE", 3)
    engine = CudaEngine(known[0], machine(precision, units=Units.WGMMA))
    kernels = set(kernels_of(engine))
    assert {"first", "conv_64", "conv_64_back", "assemble"} < kernels
    assert "first_back" not in kernels
    agree(engine, *known, BOUNDS["float32" if precision == "tf32" else precision])


def test_what_comes_unrounded_goes_back_by_cudnn(weights_of, machine, monkeypatch):
    """There is no pass for a pooling of squares, which ends with a rounding."""
    known = reference(weights_of, "vgg16", 19, 27, "modern", pooling="l2")
    monkeypatch.setattr(onepass, "FULL", 1)
    monkeypatch.setattr(first, "LEAST", 1)
    engine = CudaEngine(known[0], machine("tf32", units=Units.WGMMA))
    kernels = set(kernels_of(engine))
    assert {"first", "conv_64", "first_back"} < kernels
    assert "conv_64_back" not in kernels
    agree(engine, *known, 1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_smallest_picture(weights_of, machine, name):
    least = problems.smallest(name, "2016")
    known = reference(weights_of, name, least, least, "2016")
    agree(CudaEngine(known[0], machine()), *known, 1e-5)


@pytest.mark.parametrize("name", ["vgg16", "nin", "googlenet"])
@pytest.mark.parametrize("pooling", ["max", "l2"])
@pytest.mark.parametrize("rounding", ["floor", "ceil"])
@pytest.mark.parametrize("after", [False, True])
def test_any_pooling(weights_of, machine, name, pooling, rounding, after):
    options = {
        "pooling": pooling,
        "pooling_rounding": rounding,
        "taps_after_relu": after,
    }
    least = problems.smallest(name, "modern", **options)
    known = reference(weights_of, name, least + 3, least + 8, "modern", **options)
    agree(CudaEngine(known[0], machine()), *known, 1e-4)


@settings(max_examples=10)
@given(height=st.integers(8, 40), width=st.integers(8, 40))
def test_any_size(weights_of, height, width):
    import host_machine

    if host_machine.COMPILER is None:
        pytest.skip(host_machine.MISSING)
    problem = problems.smooth(
        problems.make(weights_of, "vgg16", height, width, "modern")
    )
    known = problem, *problems.reference(problem)
    agree(CudaEngine(problem, host_machine.HostMachine()), *known, 1e-5)


@pytest.mark.parametrize("name", ["vgg16", "googlenet", "alexnet"])
@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_nothing_is_read_before_it_is_written(weights_of, machine, name, protocol):
    """Buffers share memory: what others left there must not matter."""
    least = problems.smallest(name, protocol)
    problem = problems.make(weights_of, name, least + 3, least + 8, protocol)
    device = machine()
    engine = CudaEngine(problem, device)
    clean, gradient = engine.evaluate(problem.start)
    arena = engine._plan.addresses["arena"]
    device.view(arena, device.size(arena), np.uint8)[:] = 0xFF  # NaN
    again, same = engine.evaluate(problem.start)
    assert again == clean
    np.testing.assert_array_equal(same, gradient)


@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_the_picture_goes_the_references_way(weights_of, machine, protocol):
    problem = problems.make(weights_of, "nin", 70, 75, protocol, iterations=6)
    precise = engines.create("chainer", problem, Device(), "float64")
    engine = CudaEngine(problem, machine())
    for _ in range(6):
        assert engine.step()().total == pytest.approx(precise.step()().total, rel=1e-3)
    difference = np.abs(engine.image - precise.image)
    assert difference.mean() < 1e-2
    assert np.abs(engine.image - problem.start).max() > 1
    low, high = problem.canvas.bounds
    assert (engine.image >= low).all()
    assert (engine.image <= high).all()


@pytest.mark.parametrize("corner", [3.25, 500.0])
def test_the_clip_of_2016_is_kept(weights_of, machine, corner):
    """Where the first value is clipped, all are cut to integers."""
    problem = problems.make(weights_of, "vgg16", 12, 16, learning_rate=4.0)
    problem.start[0, 0, 0, 0] = corner
    precise = engines.create("chainer", problem, Device(), "float64")
    engine = CudaEngine(problem, machine())
    engine.step()
    precise.step()
    whole = engine.image == np.trunc(engine.image)
    assert whole.all() == (corner > 136)
    # A value next to an integer may be cut to it, or to the one before.
    assert np.abs(engine.image - precise.image).mean() < 0.02


def test_losses_are_told_later(weights_of, machine, monkeypatch):
    """Any number of iterations later, in any order, and those of evaluations beside."""
    monkeypatch.setattr(windows, "LENGTH", 4)
    monkeypatch.setattr(plans, "LENGTH", 4)
    problem = problems.make(weights_of, "vgg16", 12, 12, "modern", iterations=20)
    prompt, late = (CudaEngine(problem, machine()) for _ in range(2))
    told = [prompt.step()() for _ in range(11)]
    readers = []
    for i in range(11):
        readers.append(late.step())
        if i == 5:
            late.evaluate(problem.content)
    np.testing.assert_array_equal(late.image, prompt.image)
    for i in reversed(range(11)):
        assert readers[i]() == told[i]


def test_nobody_waits_in_the_loop(weights_of, machine, monkeypatch):
    monkeypatch.setattr(windows, "LENGTH", 8)
    monkeypatch.setattr(plans, "LENGTH", 8)
    problem = problems.make(weights_of, "vgg16", 12, 12, "modern", iterations=200)
    device = machine()
    engine = CudaEngine(problem, device)
    assert device.captures == 1
    waits, blocks = device.waits, len(device.blocks)
    for _ in range(windows.LENGTH + 5):
        engine.step()
    assert device.waits == waits
    assert len(device.blocks) == blocks
    assert device.captures == 1


@pytest.mark.parametrize("protocol", ["2016", "modern"])
@pytest.mark.parametrize("before", [0, 3])
def test_another_goes_on_from_a_state(weights_of, machine, protocol, before):
    problem = problems.make(weights_of, "vgg16", 16, 20, protocol, iterations=6)
    engine, other = (CudaEngine(problem, machine()) for _ in range(2))
    for _ in range(before):
        engine.step()
    state = engine.state
    assert (state.done, state.scheduled) == (before, before)
    assert state.first.any() == state.second.any() == bool(before)
    other.step()
    other.restore(state)
    for _ in range(3):
        assert other.step()() == engine.step()()
    np.testing.assert_array_equal(other.image, engine.image)


def test_a_state_of_the_reference(weights_of, machine):
    problem = problems.make(weights_of, "vgg16", 16, 20, "modern", iterations=6)
    engine, precise = (
        CudaEngine(problem, machine()),
        engines.create("chainer", problem, Device(), "float32"),
    )
    for _ in range(3):
        precise.step()
    engine.restore(precise.state)
    for _ in range(3):
        assert engine.step()().total == pytest.approx(precise.step()().total, rel=1e-4)
    assert np.abs(engine.image - precise.image).mean() < 0.01


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_no_number_is_seen(weights_of, machine, value):
    engine = CudaEngine(problems.make(weights_of, "vgg16", 16, 20), machine())
    assert engine.is_finite
    state = engine.state
    state.image[0, 1, 7, 3] = value
    engine.restore(state)
    assert not engine.is_finite
    losses = engine.step()()
    assert not losses.is_finite


def test_a_gradient_that_fp16_cannot_hold_is_refused(weights_of, machine, monkeypatch):
    problem = problems.make(weights_of, "vgg16", 16, 20)
    monkeypatch.setattr(
        "chainer_style.engines.cuda.engine.all_finite", lambda gradient: False
    )
    with pytest.raises(UserError, match="too large for fp16"):
        CudaEngine(problem, machine("fp16"))


def test_small_gradients_are_scaled_for_fp16(weights_of, machine):
    """Without it, all would be zero."""
    problem = problems.make(weights_of, "vgg16", 32, 32, "modern", content_weight=1e-9)
    true, gradient = problems.reference(problem)
    faint = problems.make(weights_of, "vgg16", 32, 32, "modern")
    engine = CudaEngine(problem, machine("fp16"))
    assert engine._plan.objective.scale > 1
    agree(engine, problem, true, gradient, 0.02)
    assert CudaEngine(faint, machine("bf16"))._plan.objective.scale == 1


@pytest.mark.parametrize("name", ["vgg16", "nin"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_memory_is_predicted(weights_of, machine, name, precision):
    problem = problems.make(weights_of, name, 96, 110, "modern")
    device = machine(precision)
    CudaEngine(problem, device)
    (expected,) = device.expected
    assert sum(map(device.size, device.blocks)) == pytest.approx(expected, rel=0.02)


def test_a_state_is_whole(weights_of, machine):
    """A picture of the state is a copy: nobody's room to work in."""
    problem = problems.make(weights_of, "vgg16", 16, 16, "modern")
    engine = CudaEngine(problem, machine())
    engine.step()
    state = engine.state
    kept = State(*(np.copy(a) for a in (state.image, state.first, state.second)), 1, 1)
    engine.step()
    np.testing.assert_array_equal(state.image, kept.image)
    np.testing.assert_array_equal(state.second, kept.second)
