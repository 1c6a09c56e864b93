"""Chainer's trainer from end to end, on digits that a generator draws."""

from __future__ import annotations

import json
import time
from pathlib import Path

import idx_files
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from chainer_style.digits import source, training
from chainer_style.digits.folder import Digits
from chainer_style.engines.base import Device
from chainer_style.errors import UserError

CPU = Device()
SHORT = training.Settings(epochs=4, batch=20)


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> source.Source:
    folder = idx_files.write(tmp_path_factory.mktemp("idx"), train=600, t10k=200)
    return source.load(folder, None)


def learn(learned, tested, out, settings=SHORT, device=CPU, more=()):
    session = training.prepare(learned, tested, device, out, settings, more)
    training.run(session, device)
    return session


@pytest.fixture(scope="module")
def session(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return learn(digits.learned, digits.tested, out)


def right(model, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of digits that the model tells, by NumPy alone, in float64."""
    parameters = {
        name: array.astype(float)
        for name, array in (
            (name.split("/")[-2] + name.split("/")[-1], parameter.array)
            for name, parameter in model.namedparams()
        )
    }
    x = images.astype(float)
    for layer in ("conv1", "conv2"):
        windows = sliding_window_view(x, (3, 3), axis=(2, 3))
        x = np.einsum("nchwij,ocij->nohw", windows, parameters[f"{layer}W"])
        x = np.maximum(x + parameters[f"{layer}b"][:, None, None], 0)
    x = x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).max((3, 5))
    x = x.reshape(len(x), -1) @ parameters["dense1W"].T + parameters["dense1b"]
    x = np.maximum(x, 0) @ parameters["dense2W"].T + parameters["dense2b"]
    return float((x.argmax(1) == labels).mean())


def test_it_learns_to_tell_digits_it_has_not_seen(session) -> None:
    accuracy = session.column("validation/main/accuracy")
    loss = session.column("main/loss")
    assert len(accuracy) == len(session.seconds) == 4
    assert accuracy[-1] > 0.9
    assert loss == sorted(loss, reverse=True)


def test_its_accuracy_is_that_of_a_second_implementation(session, digits) -> None:
    model = session.updater.get_optimizer("main").target
    tested = digits.tested
    expected = right(model, tested.images, tested.labels)
    assert session.column("validation/main/accuracy")[-1] == pytest.approx(expected)


def test_it_learns_nothing_of_labels_that_mean_nothing(digits, tmp_path) -> None:
    labels = np.random.default_rng(0).permutation(digits.learned.labels)
    confused = Digits(digits.learned.images, labels)
    settings = training.Settings(epochs=2, batch=20)
    session = learn(confused, digits.tested, tmp_path, settings)
    assert session.column("validation/main/accuracy")[-1] < 0.3


def test_the_same_seed_learns_the_same(session, digits, tmp_path) -> None:
    np.random.seed(99)  # what was drawn before does not matter
    settings = training.Settings(epochs=1, batch=20)
    again = learn(digits.learned, digits.tested, tmp_path, settings)
    for name in ("main/loss", "validation/main/loss"):
        assert again.column(name) == session.column(name)[:1]
    settings = training.Settings(epochs=1, batch=20, seed=1)
    other = learn(digits.learned, digits.tested, tmp_path, settings)
    assert other.column("main/loss")[0] != session.column("main/loss")[0]


def test_charts_and_log_are_chainers_own(session) -> None:
    out = Path(session.trainer.out)
    log = json.loads((out / "log").read_text())
    assert [entry["epoch"] for entry in log] == [1, 2, 3, 4]
    assert log[-1]["iteration"] == 120
    for name in training.PLOTS:
        with Image.open(out / f"{name}.png") as image:
            assert min(image.size) > 300


def test_an_epochs_seconds_leave_the_test_out(digits, tmp_path) -> None:
    from chainer.training import make_extension

    @make_extension(trigger=(1, "epoch"))
    def dawdle(trainer) -> None:
        time.sleep(0.4)

    few = digits.learned.take(np.arange(32))
    settings = training.Settings(epochs=2, batch=32)
    session = learn(few, few, tmp_path, settings, more=[dawdle])
    assert len(session.seconds) == 2
    assert 0 < session.seconds[1] < 0.4


def test_pictures_that_are_not_square(digits, tmp_path) -> None:
    wide = Digits(np.zeros((4, 1, 8, 9), np.float32), np.zeros(4, np.int32))
    with pytest.raises(UserError, match="are 9×8 pixels; they must be square"):
        training.prepare(wide, wide, CPU, tmp_path)


@pytest.mark.gpu
@pytest.mark.parametrize("cudnn", [False, True])
def test_a_gpu_learns_the_same(session, digits, tmp_path, cudnn: bool) -> None:
    from chainer_style.engines import devices

    device = Device(0, cudnn=cudnn)
    if missing := devices.obstacle(device):
        pytest.skip(missing.reason)
    there = learn(digits.learned, digits.tested, tmp_path, device=device)
    for name, tolerance in (("main/loss", 0.02), ("validation/main/accuracy", 0.03)):
        assert there.column(name) == pytest.approx(session.column(name), abs=tolerance)
