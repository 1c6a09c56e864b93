from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainer_style import engines, images, networks, protocols, transfer
from chainer_style.engines.base import Device, Problem
from chainer_style.engines.define_by_run import ChainerEngine
from chainer_style.engines.static.engine import NumpyEngine
from chainer_style.errors import UserError


def noise(height, width, seed):
    random = np.random.RandomState(seed)
    return random.uniform(-120, 136, (1, 3, height, width)).astype(np.float32)


@pytest.fixture(scope="module")
def make(weights_of):
    """Return what makes a transfer of noise to noise, the style of another size."""

    def make(name, height, width, protocol="2016", **options):
        chosen = protocols.get(protocol).with_options(model=name, **options)
        network = transfer.network_for(chosen)
        canvas = images.Canvas(height, width, 0, 0, images.mean_of(chosen, network))
        content, style = noise(height, width, 1), noise(height + 5, width + 2, 2)
        loaded = weights_of(name).for_network(network)
        start = noise(height, width, 3)
        return Problem(network, loaded, chosen, content, style, start, canvas)

    return make


def relative(found, true):
    return np.linalg.norm(found - true) / np.linalg.norm(true)


@pytest.mark.parametrize(
    "name",
    [
        # Its channels make it slow, and nothing in it is not in the others.
        pytest.param(n, marks=[pytest.mark.slow] if n == "illust2vec" else [])
        for n in networks.NETWORKS
    ],
)
@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_losses_and_gradient_are_the_references(make, name, protocol):
    chosen = protocols.get(protocol).with_options(model=name)
    smallest = transfer.network_for(chosen).minimum_size()
    problem = make(name, smallest + 3, smallest + 8, protocol)
    agree(problem, float64=1e-10, float32=1e-4)


def agree(problem, **bounds):
    """Compare with the reference in double precision, within a bound by precision."""
    reference = ChainerEngine(problem, Device(), "float64")
    true, gradient = reference.evaluate(problem.start)
    for precision, bound in bounds.items():
        engine = NumpyEngine(problem, Device(), precision)
        losses, found = engine.evaluate(problem.start)
        assert losses.total == pytest.approx(true.total, rel=bound)
        np.testing.assert_allclose(losses.content, true.content, rtol=bound)
        np.testing.assert_allclose(losses.style, true.style, rtol=bound)
        assert losses.variation == pytest.approx(true.variation, rel=bound)
        assert found.shape == problem.start.shape
        assert relative(found, gradient) < bound


@pytest.mark.parametrize("name", ["vgg16", "nin"])
@pytest.mark.parametrize("pooling", ["max", "l2"])
@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_so_they_are_by_any_pooling(make, name, pooling, rounding):
    options = {"pooling": pooling, "pooling_rounding": rounding}
    size = (75, 70) if name == "nin" else (21, 26)
    agree(make(name, *size, "modern", **options), float64=1e-10)


@settings(max_examples=6)
@given(height=st.integers(8, 40), width=st.integers(8, 40))
def test_any_size(make, height, width):
    problem = make("vgg16", height, width, "modern")
    _, true = ChainerEngine(problem, Device(), "float64").evaluate(problem.start)
    _, found = NumpyEngine(problem, Device(), "float64").evaluate(problem.start)
    assert relative(found, true) < 1e-10


@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_the_picture_goes_the_references_way(make, protocol):
    """Clip and falling learning rate included."""
    problem = make("nin", 70, 75, protocol, iterations=6)
    kinds = (ChainerEngine, NumpyEngine)
    both = [kind(problem, Device(), "float64") for kind in kinds]
    for _ in range(6):
        one, other = (engine.step()() for engine in both)
        assert other.total == pytest.approx(one.total, rel=1e-6)
    one, other = (engine.image for engine in both)
    np.testing.assert_allclose(other, one, atol=1e-3)
    assert np.abs(one - problem.start).max() > 1


def test_evaluating_changes_nothing(make):
    problem = make("vgg16", 16, 16)
    engine = NumpyEngine(problem, Device())
    first, gradient = engine.evaluate(problem.start)
    engine.evaluate(problem.content)
    again, same = engine.evaluate(problem.start)
    assert again == first
    np.testing.assert_array_equal(same, gradient)
    np.testing.assert_array_equal(engine.image, problem.start)


@pytest.mark.parametrize(
    ("name", "pooling"),
    [("vgg16", "average"), ("vgg16", "max"), ("vgg16", "l2"), ("googlenet", "max")],
)
def test_a_step_allocates_little(make, name, pooling):
    """Less than a picture: NumPy's buffers for casts, whatever the size."""
    problem = make(name, 112, 112, "modern", pooling=pooling)
    engine = NumpyEngine(problem, Device())
    engine.step()
    tracemalloc.start()
    try:
        engine.step()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < problem.start.nbytes


def test_memory_is_shared_by_lifetime(make):
    problem = make("vgg16", 64, 64, "modern")
    plan = NumpyEngine(problem, Device())._plan
    alone = sum(2 * 4 * shape.size for shape in problem.network.shapes(64, 64).values())
    assert plan.bytes < 0.65 * alone


def test_auto_takes_it_where_nothing_is_wasted_on_purpose(make):
    device = Device()
    for protocol, name in (("2016", "chainer"), ("modern", "numpy")):
        problem = make("vgg16", 16, 16, protocol)
        assert engines.create("auto", problem, device).name == name
        assert engines.create("chainer", problem, device).name == "chainer"


def test_a_gpu_is_refused():
    with pytest.raises(UserError, match="'numpy' computes on the CPU only"):
        engines.check("numpy", Device(0))
