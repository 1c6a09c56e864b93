from __future__ import annotations

import dataclasses
import weakref

import numpy as np
import pytest
import reference

from chainer_style import engines, images, protocols, transfer
from chainer_style.engines import devices
from chainer_style.engines.base import Device, Problem
from chainer_style.engines.define_by_run import ChainerEngine
from chainer_style.engines.steps import clip_by_pixel
from chainer_style.errors import UserError

SIZES = {"vgg16": 21, "nin": 69, "googlenet": 45, "alexnet": 51}


def make_problem(name, weights, size=None, protocol="2016", **options):
    """A transfer of noise to noise: every feature is in play."""
    settings = protocols.get(protocol).with_options(model=name, **options)
    network = transfer.network_for(settings)
    random = np.random.RandomState(3)
    size = size or SIZES[name]
    mean = images.mean_of(settings, network)

    def noise():
        return random.uniform(-120, 136, (1, 3, size, size)).astype(np.float32)

    canvas = images.Canvas(size, size, 0, 0, mean)
    return Problem(network, weights, settings, noise(), noise(), noise(), canvas)


def expected(problem):
    return reference.losses_and_gradient(
        problem.network.name,
        problem.weights.arrays,
        *(a[0].astype(float) for a in (problem.start, problem.content, problem.style)),
        lam=problem.protocol.content_weight,
        modern=problem.protocol.name == "modern",
    )


def relative_error(found, true):
    return np.linalg.norm(found - true) / np.linalg.norm(true)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize(("precision", "bound"), [("float64", 1e-6), ("float32", 1e-5)])
def test_losses_of_2016_equal_plain_numpy(name, precision, bound, weights_of):
    problem = make_problem(name, weights_of(name))
    content, style, gradient = expected(problem)
    engine = ChainerEngine(problem, Device(), precision)
    losses, found = engine.evaluate(problem.start)
    np.testing.assert_allclose(losses.content, content, rtol=bound)
    np.testing.assert_allclose(losses.style, style, rtol=bound)
    np.testing.assert_allclose(losses.total, sum(content) + sum(style), rtol=bound)
    assert losses.variation == 0
    assert found.shape == problem.start.shape
    assert relative_error(found[0], gradient) < bound


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_gradient_passes_finite_differences(name, protocol, weights_of, random):
    problem = make_problem(name, weights_of(name), protocol=protocol)
    engine = ChainerEngine(problem, Device(), "float64")
    x = problem.start.astype(float)
    _, gradient = engine.evaluate(x)
    for _ in range(3):
        direction = random.normal(size=x.shape)
        slope = [
            (
                engine.evaluate(x + step * direction)[0].total
                - engine.evaluate(x - step * direction)[0].total
            )
            / (2 * step)
            for step in (1e-5,)
        ]
        np.testing.assert_allclose(slope[0], np.vdot(gradient, direction), rtol=1e-4)


def test_waste_of_2016_changes_no_value(weights_of):
    problem = make_problem("vgg16", weights_of("vgg16"))
    lean = dataclasses.replace(
        problem.protocol,
        zero_weight_terms=False,
        weight_gradients=False,
        pixelwise_clip=False,
        cpu_type_check=False,
    )
    wasteful = ChainerEngine(problem, Device())
    frugal = ChainerEngine(dataclasses.replace(problem, protocol=lean), Device())
    wasteful._chain.cleargrads()
    frugal._chain.cleargrads()
    one, gradient = wasteful.evaluate(problem.start)
    two, same = frugal.evaluate(problem.start)
    np.testing.assert_allclose(one.total, two.total, rtol=1e-6)
    np.testing.assert_allclose(gradient, same, rtol=1e-5, atol=1e-9)
    assert wasteful._chain.conv1_1.W.grad is not None
    assert frugal._chain.conv1_1.W.grad is None


@pytest.mark.parametrize(("protocol", "alive"), [("2016", True), ("modern", False)])
def test_only_2016_holds_the_last_graph(protocol, alive, weights_of):
    """Until the next features are there; a graph is what backward can walk."""
    problem = make_problem("vgg16", weights_of("vgg16"), 8, protocol)
    engine = ChainerEngine(problem, Device())
    graphs, survivors = [], []
    original = engine._features

    def features(x):
        result = original(x)
        survivors.append([graph() is not None for graph in graphs])
        graphs.append(weakref.ref(result[0].node))
        return result

    engine._features = features
    for _ in range(3):
        engine.step()
    assert survivors == [[], [alive], [False, alive]]


def test_a_step_is_adam_and_clip_in_numpy(weights_of):
    problem = make_problem("vgg16", weights_of("vgg16"), learning_rate=7.0)
    engine = ChainerEngine(problem, Device(), "float64")
    x, m, v = problem.start.astype(float), 0.0, 0.0
    for t in range(1, 4):
        *_, g = reference.losses_and_gradient(
            "vgg16",
            problem.weights.arrays,
            x[0],
            problem.content[0].astype(float),
            problem.style[0].astype(float),
            lam=0.005,
        )
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        rate = 7.0 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        x = np.clip(x - rate * m / (np.sqrt(v) + 1e-8), -120, 136)
        truncated = not -120 < x[0, 0, 0, 0] < 136
        engine.step()
        assert not truncated  # the first pixel decides, see the test below
        np.testing.assert_allclose(engine._picture.W.array, x, atol=1e-4)


def test_clip_by_pixel_cuts_to_integers_when_the_first_pixel_is_clipped():
    low, high = np.float32(-120).reshape(1, 1), np.float32(136).reshape(1, 1)
    inside = np.array([[1.5, 200.0], [-130.0, 2.25]], np.float32)
    np.testing.assert_array_equal(
        clip_by_pixel(inside, low, high), [[1.5, 136], [-120, 2.25]]
    )
    outside = np.array([[150.0, 1.75], [-1.75, -130.0]], np.float32)
    np.testing.assert_array_equal(
        clip_by_pixel(outside, low, high), [[136, 1], [-1, -120]]
    )


def test_modern_losses_do_not_depend_on_the_scale_of_the_weights(weights_of):
    weights = weights_of("vgg16")
    doubled = {
        layer: {k: a * (2 if layer == "conv4_3" else 1) for k, a in arrays.items()}
        for layer, arrays in weights.arrays.items()
    }
    totals = [
        ChainerEngine(
            make_problem(
                "vgg16", dataclasses.replace(weights, arrays=a), None, "modern"
            ),
            Device(),
        )
        for a in (weights.arrays, doubled)
    ]
    one, two = (engine.evaluate(engine.problem.start)[0].total for engine in totals)
    np.testing.assert_allclose(one, two, rtol=1e-5)


@pytest.mark.parametrize("name", SIZES)
def test_modern_losses_equal_plain_numpy(name, weights_of):
    """Relative terms, features behind the ReLU, total variation."""
    problem = make_problem(
        name,
        weights_of(name),
        protocol="modern",
        content_weight=0.1,
        tv_weight=1e-3,
    )
    content, style, gradient = expected(problem)
    engine = ChainerEngine(problem, Device(), "float64")
    losses, found = engine.evaluate(problem.start)
    np.testing.assert_allclose(losses.content, content, rtol=1e-6)
    np.testing.assert_allclose(losses.style, style, rtol=1e-6)
    image = problem.start[0].astype(float)
    variation = 0.0
    for axis in (1, 2):
        d = np.diff(image, axis=axis)
        variation += 1e-3 * np.mean(d**2)
        before, behind = (
            [(0, 0) if i != axis else end for i in range(3)] for end in ((1, 0), (0, 1))
        )
        gradient += 2e-3 / d.size * (np.pad(d, before) - np.pad(d, behind))
    np.testing.assert_allclose(losses.variation, variation, rtol=1e-6)
    total = sum(content) + sum(style) + variation
    np.testing.assert_allclose(losses.total, total, rtol=1e-6)
    assert relative_error(found[0], gradient) < 1e-6


def test_the_learning_rate_falls_to_its_final_share(weights_of):
    problem = make_problem("vgg16", weights_of("vgg16"), 8, "modern", iterations=4)
    engine = ChainerEngine(problem, Device())
    rates = []
    for _ in range(4):
        engine.step()
        rates.append(engine._optimizer.alpha)
    np.testing.assert_allclose(rates, [4.0, 3.1, 2.2, 1.3])


def test_style_of_another_size(weights_of):
    problem = make_problem("vgg16", weights_of("vgg16"), protocol="modern")
    wide = np.concatenate([problem.style, problem.style[..., ::-1]], axis=3)
    engine = ChainerEngine(dataclasses.replace(problem, style=wide), Device())
    losses, gradient = engine.evaluate(problem.start)
    assert losses.is_finite
    assert gradient.shape == problem.start.shape


def test_unknown_engine():
    with pytest.raises(UserError, match=r"unknown engine 'torch'.*auto, chainer"):
        engines.create("torch", None, Device())


def test_a_missing_cuda_device_is_named(weights_of):
    problem = make_problem("vgg16", weights_of("vgg16"))
    with pytest.raises(UserError, match=r"no CUDA device for --gpu 999: .*leave --gpu"):
        ChainerEngine(problem, Device(gpu=999))


def test_missing_cudnn_is_refused_and_not_done_without(monkeypatch, weights_of):
    missing = devices.Obstacle(devices.NO_CUDNN, "it is gone", "fetch it")
    monkeypatch.setattr(devices, "obstacle", lambda device: missing)
    problem = make_problem("vgg16", weights_of("vgg16"))
    with pytest.raises(UserError) as raised:
        ChainerEngine(problem, Device(gpu=0))
    assert str(raised.value) == (
        "CuPy has no cuDNN here for --gpu 0: it is gone; fetch it, or add --no-cudnn"
    )


@pytest.mark.gpu
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("cudnn", [False, True])
def test_gpu_equals_the_cpu(name, cudnn, weights_of):
    if missing := devices.obstacle(Device(0, cudnn)):
        pytest.skip(f"{missing.reason}: {missing.cause}")
    problem = make_problem(name, weights_of(name))
    content, style, gradient = expected(problem)
    engine = ChainerEngine(problem, Device(0, cudnn))
    losses, found = engine.evaluate(problem.start)
    np.testing.assert_allclose(losses.total, sum(content) + sum(style), rtol=1e-4)
    assert relative_error(found[0], gradient) < 1e-4
    engine.step()
    engine.synchronize()
    assert np.isfinite(engine.image).all()
