"""Every engine gives the losses, the gradient and the picture of the reference."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import problems
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainer_style import engines, networks, protocols
from chainer_style.engines import steps
from chainer_style.engines.base import Device
from chainer_style.engines.cpu.kernels import target
from chainer_style.errors import UserError


class Kind(NamedTuple):
    engine: str
    precision: str
    threads: int
    bound: float

    def create(self, problem):
        device = Device(threads=self.threads)
        return engines.create(self.engine, problem, device, self.precision)


NUMPY = Kind("numpy", "float64", 1, 1e-10)
SINGLE = Kind("numpy", "float32", 1, 1e-4)
CPU = Kind("cpu", "float32", 1, 1e-4), Kind("cpu", "float32", 3, 1e-4)
ALL = NUMPY, SINGLE, *CPU
# Single precision is the same program as double.
KINDS = NUMPY, pytest.param(SINGLE, marks=pytest.mark.slow), *CPU
HALF = pytest.param(
    Kind("cpu", "bf16", 2, 0.1),
    marks=pytest.mark.skipif(
        not target.has_bfloat16(), reason="this CPU does not multiply bfloat16"
    ),
)
# Its channels make it slow, and nothing in it is not in the others.
NETWORKS = [
    pytest.param(n, marks=[pytest.mark.slow] if n == "illust2vec" else [])
    for n in networks.NETWORKS
]


@functools.cache
def reference(weights_of, name, height, width, protocol, **options):
    problem = problems.make(weights_of, name, height, width, protocol, **options)
    return problem, *problems.reference(problem)


@functools.cache
def smooth(weights_of, *given):
    problem = problems.smooth(problems.make(weights_of, *given))
    return problem, *problems.reference(problem)


def agree(kind, problem, true, gradient):
    losses, found = kind.create(problem).evaluate(problem.start)
    assert losses.total == pytest.approx(true.total, rel=kind.bound)
    np.testing.assert_allclose(losses.content, true.content, rtol=kind.bound)
    np.testing.assert_allclose(losses.style, true.style, rtol=kind.bound)
    assert losses.variation == pytest.approx(true.variation, rel=kind.bound)
    assert found.shape == problem.start.shape
    assert problems.relative(found, gradient) < kind.bound


@pytest.mark.parametrize("kind", [*ALL, HALF], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_losses_and_gradient_are_the_references(weights_of, kind, name, protocol):
    least = problems.smallest(name, protocol)
    agree(kind, *reference(weights_of, name, least + 3, least + 8, protocol))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_so_they_are_at_the_smallest_size(weights_of, kind, name):
    least = problems.smallest(name, "2016")
    agree(kind, *reference(weights_of, name, least, least, "2016"))


# In single precision the maximum of a window may be another one than the reference's
# where two are as good as equal, which noise has many of at larger sizes.
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", ["vgg16", "nin", "googlenet"])
@pytest.mark.parametrize("pooling", ["max", "l2"])
@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_so_they_are_by_any_pooling(weights_of, kind, name, pooling, rounding):
    options = {"pooling": pooling, "pooling_rounding": rounding}
    least = problems.smallest(name, "modern", **options)
    size = least + 3, least + 8
    agree(kind, *reference(weights_of, name, *size, "modern", **options))


@pytest.mark.parametrize("kind", ALL, ids=str)
@settings(max_examples=5)
@given(height=st.integers(8, 50), width=st.integers(8, 50))
def test_any_size(weights_of, kind, height, width):
    agree(kind, *smooth(weights_of, "vgg16", height, width, "modern"))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_the_picture_goes_the_references_way(weights_of, kind, protocol):
    """Clip and falling learning rate included."""
    problem = problems.make(weights_of, "nin", 70, 75, protocol, iterations=6)
    precise = engines.create("chainer", problem, Device(), "float64")
    engine = kind.create(problem)
    for _ in range(6):
        assert engine.step()().total == pytest.approx(precise.step()().total, rel=1e-3)
    difference = np.abs(engine.image - precise.image)
    assert difference.mean() < 1e-2
    assert np.abs(engine.image - problem.start).max() > 1


@pytest.mark.parametrize("kind", [Kind("chainer", "float32", 1, 0), *KINDS], ids=str)
@pytest.mark.parametrize("protocol", ["2016", "modern"])
@pytest.mark.parametrize("before", [0, 3])
def test_another_engine_goes_on_from_a_state(weights_of, kind, protocol, before):
    problem = problems.make(weights_of, "vgg16", 16, 20, protocol, iterations=6)
    engine, other = kind.create(problem), kind.create(problem)
    for _ in range(before):
        engine.step()
    state = engine.state
    assert (state.done, state.scheduled) == (before, before)
    for array in (state.image, state.first, state.second):
        assert (array.shape, array.dtype) == (problem.start.shape, np.float32)
    np.testing.assert_array_equal(state.image, engine.image)
    assert state.first.any() == state.second.any() == bool(before)
    other.step()
    other.restore(state)
    for _ in range(3):
        assert other.step()().total == pytest.approx(engine.step()().total, rel=1e-6)
    if kind.precision == "float32":
        np.testing.assert_array_equal(other.image, engine.image)
    else:  # a state is kept in float32
        np.testing.assert_allclose(other.image, engine.image, atol=0.01)
    # What was given out is nobody's room to work in.
    engine.restore(state)
    np.testing.assert_array_equal(engine.image, state.image)


def test_a_state_is_any_engines(weights_of):
    problem = problems.make(weights_of, "vgg16", 16, 20, "modern", iterations=6)
    pictures = []
    for first in ("chainer", "numpy", "cpu"):
        for second in ("chainer", "numpy", "cpu"):
            engine, other = (
                engines.create(name, problem, Device(threads=1), "float32")
                for name in (first, second)
            )
            for _ in range(3):
                engine.step()
            other.restore(engine.state)
            for _ in range(3):
                other.step()
            pictures.append(other.image)
    for picture in pictures[1:]:
        assert np.abs(picture - pictures[0]).mean() < 0.01


@pytest.mark.parametrize("kind", [Kind("chainer", "float32", 1, 0), *KINDS], ids=str)
@pytest.mark.parametrize(("protocol", "share"), [("2016", 1), ("modern", 16 / 320)])
def test_epsilon_falls_as_pixels_become_more(
    weights_of, kind, protocol, share, monkeypatch
):
    monkeypatch.setattr(steps, "PIXELS", 16)
    monkeypatch.setattr(steps, "EPSILON", 1e-4)
    problem = problems.make(weights_of, "vgg16", 16, 20, protocol, learning_rate=0.01)
    engine = kind.create(problem)
    _, gradient = engine.evaluate(problem.start)
    engine.step()
    gradient = gradient.astype(float)
    root = np.abs(gradient) * 0.001**0.5
    rate = 0.01 * 0.001**0.5 / 0.1
    expected = -rate * 0.1 * gradient / (root + 1e-4 * share)
    low, high = problem.canvas.bounds  # nothing within them is clipped
    inside = (problem.start > low + 1) & (problem.start < high - 1)
    moved = (engine.image - problem.start)[inside]
    np.testing.assert_allclose(moved, expected[inside], rtol=0.02, atol=2e-5)


@pytest.mark.parametrize("kind", [Kind("chainer", "float32", 1, 0), *KINDS], ids=str)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_no_number_is_seen(weights_of, kind, value):
    engine = kind.create(problems.make(weights_of, "vgg16", 16, 20))
    assert engine.is_finite
    state = engine.state
    state.image[0, 1, 7, 3] = value
    engine.restore(state)
    assert not engine.is_finite


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_evaluating_changes_nothing(weights_of, kind):
    problem = problems.make(weights_of, "vgg16", 16, 16)
    engine = kind.create(problem)
    first, gradient = engine.evaluate(problem.start)
    engine.evaluate(problem.content)
    again, same = engine.evaluate(problem.start)
    assert again == first
    np.testing.assert_array_equal(same, gradient)
    np.testing.assert_array_equal(engine.image, problem.start)


@pytest.mark.parametrize("name", ["numpy", "cpu"])
def test_a_gpu_is_refused(name):
    with pytest.raises(UserError, match=f"'{name}' computes on the CPU only"):
        engines.check(name, Device(0))


def test_precisions_that_an_engine_has_not_are_refused(weights_of, monkeypatch):
    problem = problems.make(weights_of, "vgg16", 16, 16)
    for name in ("chainer", "numpy"):
        for precision in ("bf16", "tf32", "fp16"):
            told = f"'{name}' does not compute in {precision}; take --precision float32"
            with pytest.raises(UserError, match=told):
                engines.create(name, problem, Device(), precision)
    with pytest.raises(UserError, match="or --engine numpy or chainer"):
        engines.create("cpu", problem, Device(), "float64")
    with pytest.raises(UserError, match="or --engine cuda"):
        engines.create("cpu", problem, Device(), "fp16")
    monkeypatch.setattr(target, "has_bfloat16", lambda: False)
    with pytest.raises(UserError, match="this CPU does not multiply bfloat16"):
        engines.create("cpu", problem, Device(), "bf16")


def test_no_threads_are_refused():
    with pytest.raises(UserError, match="0 threads; choose 1 or more"):
        engines.check("cpu", Device(threads=0))


def test_auto_takes_the_fastest_that_computes_what_is_asked_for(
    weights_of, monkeypatch
):
    """What is wasted on purpose is left to the reference."""
    device = Device()
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    wasteful, modern = (
        problems.make(weights_of, "vgg16", 16, 16, protocol)
        for protocol in ("2016", "modern")
    )
    assert engines.fastest(wasteful.protocol, device, "float32") == "chainer"
    assert engines.fastest(modern.protocol, device, "float32") == "cpu"
    assert engines.fastest(modern.protocol, device, "float64") == "numpy"
    assert engines.create("auto", modern, device).name == "cpu"
    assert engines.create("chainer", modern, device).name == "chainer"
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert engines.fastest(modern.protocol, device, "float32") == "numpy"


@pytest.mark.parametrize(
    ("protocol", "device", "precision", "there", "name"),
    [
        ("modern", Device(0), None, True, "cuda"),
        ("modern", Device(0), "bf16", True, "cuda"),
        ("modern", Device(0), None, False, "chainer"),
        ("modern", Device(0), "float64", True, "chainer"),
        ("modern", Device(0, cudnn=False), None, True, "chainer"),
        ("2016", Device(0), None, True, "chainer"),
    ],
)
def test_auto_on_a_gpu(monkeypatch, protocol, device, precision, there, name):
    from chainer_style.engines.cuda import device as of_cuda

    def check(device):
        if not there:
            raise UserError("no frontend")

    monkeypatch.setattr(of_cuda, "check", check)
    assert engines.fastest(protocols.get(protocol), device, precision) == name


def test_without_numba_there_is_another(weights_of, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    modern = problems.make(weights_of, "vgg16", 16, 16, "modern")
    assert engines.fastest(modern.protocol, Device(), "float32") == "numpy"
    with pytest.raises(UserError, match="needs numba, which is not installed"):
        engines.check("cpu", Device())


def test_threads_are_blass_too(weights_of):
    from threadpoolctl import threadpool_info, threadpool_limits

    problem = problems.make(weights_of, "vgg16", 16, 16)
    with threadpool_limits():
        engines.create("numpy", problem, Device(threads=1))
        pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
        assert pools
        assert {pool["num_threads"] for pool in pools} == {1}
