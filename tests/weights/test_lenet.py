"""Weights that Caffe itself wrote, on pictures that it never saw: MNIST's digits."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import chainer
import numpy as np
import pytest

from chainer_style import links
from chainer_style.networks import Network
from chainer_style.networks.nodes import Conv, Linear, Pool, ReLU, sequential
from chainer_style.weights import caffe, store
from chainer_style.weights.collection import Weights

LENET = Network(
    name="lenet",
    title="LeNet",
    nodes=sequential(
        Conv("conv1", channels=20, kernel=5),
        Pool("pool1", kernel=2, stride=2),
        Conv("conv2", channels=50, kernel=5),
        Pool("pool2", kernel=2, stride=2),
        Linear("ip1", channels=500),
        ReLU("relu1"),
        Linear("ip2", channels=10),
    ),
    taps=(),
    mean=(0, 0, 0),
    input_size=28,
    source="BVLC/caffe, examples/mnist/lenet.prototxt",
    channels=1,
)

DIGITS = 1000


def folder(variable: str, what: str) -> Path:
    if variable not in os.environ:
        pytest.skip(f"{variable} names no folder with {what}")
    return Path(os.environ[variable])


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """The first of MNIST's test digits, (N, 1, 28, 28) in 0..1, and what they are."""
    mnist = folder("CHAINER_STYLE_TEST_MNIST", "MNIST's test digits")
    pixels, labels = (
        np.frombuffer(gzip.decompress((mnist / name).read_bytes()), np.uint8)
        for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    )
    images = pixels[16 : 16 + DIGITS * 28 * 28].reshape(DIGITS, 1, 28, 28)
    # scale: 0.00390625 of lenet_train_test.prototxt
    return images.astype(np.float32) / 256, labels[8 : 8 + DIGITS]


@pytest.fixture(scope="module", params=["v1", "v2"])
def weights(request: pytest.FixtureRequest) -> Weights:
    models = folder("CHAINER_STYLE_TEST_CAFFE", "LeNet's models")
    return caffe.load(models / f"lenet_{request.param}.caffemodel", LENET)


def correct(weights: Weights, digits: tuple[np.ndarray, np.ndarray]) -> int:
    images, labels = digits
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        (scores,) = links.NetworkChain(LENET, weights.arrays)(images, ["ip2"])
    return int((scores.array.argmax(axis=1) == labels).sum())


def test_lenet_knows_its_digits(weights: Weights, digits, tmp_path: Path) -> None:
    assert abs(correct(weights, digits) - 990) <= 1  # a rounding may turn one
    store.save(weights, tmp_path / "lenet.h5")
    again = store.load(tmp_path / "lenet.h5", LENET)
    assert correct(again, digits) == correct(weights, digits)


def test_and_does_not_with_filters_turned(weights: Weights, digits) -> None:
    turned = {
        layer: {
            key: np.ascontiguousarray(x[..., ::-1, ::-1]) if x.ndim == 4 else x
            for key, x in parameters.items()
        }
        for layer, parameters in weights.arrays.items()
    }
    spoilt = Weights("lenet", "trained", turned, "turned")
    assert correct(spoilt, digits) < 900
