"""One step of training, in every framework there is, against float64 NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import BATCH, SIZE, TINY

from chainer_style.engines.base import Device
from chainer_style.networks import Network
from chainer_style.networks.nodes import Linear
from chainer_style.trainers import FRAMEWORKS, RATE, initial_arrays


def convolved(x, W, b):
    """Convolution that keeps the size."""
    pad = W.shape[2] // 2
    around = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(around, W.shape[2:], (2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, W) + b[:, None, None]


def normalised(x):
    total = np.zeros_like(x)
    for c in range(x.shape[1]):
        total[:, c] = (x[:, max(c - 2, 0) : c + 3] ** 2).sum(1)
    return x * (2 + 0.1 * total) ** -0.75


def pooled(x):
    """Largest of 3×3 with stride 2, the last windows cut off: 8 pixels to 4."""
    spots = [slice(2 * i, 2 * i + 3) for i in range(4)]
    return np.array([[x[:, :, i, j].max((2, 3)) for j in spots] for i in spots])


def cross_entropy(x, labels):
    x = x - x.max(1, keepdims=True)
    logs = x - np.log(np.exp(x).sum(1, keepdims=True))
    return -logs[np.arange(len(labels)), labels].mean()


def loss(arrays, pictures, labels):
    """The loss of `TINY`, written out."""

    def layer(name):
        return arrays[name]["W"], arrays[name]["b"]

    x = normalised(np.maximum(convolved(pictures, *layer("conv1")), 0))
    x = pooled(x).transpose(2, 3, 0, 1)
    x = np.concatenate([convolved(x, *layer("left")), convolved(x, *layer("right"))], 1)
    x = np.maximum(x, 0)
    means = x.reshape(len(x), -1, 2, 2, 2, 2).mean((3, 5))
    total = 0
    for name, features, weight in (("main", x, 1), ("side", means, 0.3)):
        W, b = layer(name)
        logits = features.reshape(len(x), -1) @ W.T + b
        total += weight * cross_entropy(logits, labels)
    return total


def differences(arrays, pictures, labels, step=1e-6):
    """The gradient of every parameter, by central differences."""
    found = {}
    for name, own in arrays.items():
        found[name] = {}
        for key, values in own.items():
            gradient = np.zeros_like(values)
            for i in np.ndindex(values.shape):
                kept = values[i]
                values[i] = kept + step
                above = loss(arrays, pictures, labels)
                values[i] = kept - step
                gradient[i] = (above - loss(arrays, pictures, labels)) / (2 * step)
                values[i] = kept
            found[name][key] = gradient
    return found


@pytest.fixture(scope="module")
def task():
    """Parameters, pictures, labels, and the loss and gradient there."""
    random = np.random.default_rng(1)
    arrays = initial_arrays(TINY.network, seed=3)
    for own in arrays.values():
        own["b"][:] = random.normal(0, 0.1, own["b"].shape)
    pictures = random.normal(0, 1, (BATCH, 3, SIZE, SIZE)).astype(np.float32)
    labels = np.array([4, 0, 2], np.int32)
    exact = {
        n: {k: a.astype(float) for k, a in own.items()} for n, own in arrays.items()
    }
    pixels = pictures.astype(float)
    value = loss(exact, pixels, labels)
    return arrays, pictures, labels, value, differences(exact, pixels, labels)


def trainer_of(framework, task, device):
    if not framework.is_installed:
        pytest.skip(f"{framework.title} is not installed")
    kind = framework.trainer
    if reason := kind.obstacle(device):
        pytest.skip(reason)
    arrays, pictures, labels, *_ = task
    return kind(TINY, arrays, pictures, labels, device)


DEVICES = [
    Device(),
    pytest.param(Device(0, cudnn=False), marks=pytest.mark.gpu),
    pytest.param(Device(0, cudnn=True), marks=pytest.mark.gpu),
]


@pytest.mark.filterwarnings("default")  # of other frameworks' own
@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.column)
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_step_goes_against_the_gradient(name, device, task):
    arrays, _, _, value, gradient = task
    trainer = trainer_of(FRAMEWORKS[name], task, device)
    before = trainer.parameters
    for layer, own in arrays.items():
        for key in own:
            np.testing.assert_array_equal(before[layer][key], own[key])
    trainer.prepare()
    trainer.forward()
    assert trainer.loss == pytest.approx(value, rel=1e-5)
    trainer.backward()
    after = trainer.parameters
    for layer, own in gradient.items():
        for key, expected in own.items():
            found = (before[layer][key].astype(float) - after[layer][key]) / RATE
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=3e-5)
    assert trainer.peak_memory() > 0


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_gradients_do_not_add_up(name, task):
    """The last of many steps is as large as the gradient then."""
    trainer = trainer_of(FRAMEWORKS[name], task, Device())
    losses = []
    for _ in range(40):
        trainer.prepare()
        trainer.forward()
        losses.append(trainer.loss)
        trainer.backward()
    _, pictures, labels, *_ = task
    now = trainer.parameters
    exact = {n: {k: a.astype(float) for k, a in own.items()} for n, own in now.items()}
    trainer.prepare()
    trainer.forward()
    trainer.backward()
    expected = differences(exact, pictures.astype(float), labels)["main"]["b"]
    found = (now["main"]["b"].astype(float) - trainer.parameters["main"]["b"]) / RATE
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=3e-5)
    assert losses == sorted(losses, reverse=True)


def test_parameters_begin_as_chainers_do():
    import chainer.links as L

    arrays = initial_arrays(TINY.network)
    link = L.Convolution2D(3, 4, 3)
    assert arrays["conv1"]["W"].shape == link.W.shape
    wide = Network(
        "w", "W", (Linear("fc", ("data",), channels=4000),), (), (0, 0, 0), 8, ""
    )
    filters = initial_arrays(wide)["fc"]["W"]
    assert filters.dtype == np.float32
    assert filters.std() == pytest.approx(L.Linear(192, 4000).W.array.std(), rel=0.01)
    assert not initial_arrays(wide)["fc"]["b"].any()


def test_only_chainer_is_there_for_sure():
    assert FRAMEWORKS["chainer"].is_installed
    assert [f.columns for f in FRAMEWORKS.values()] == [
        ("CPU", "GPU", "cuDNN"),
        ("CPU", "cuDNN"),
        ("CPU", "cuDNN"),
    ]
