from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import chainer
import h5py
import numpy as np
import published
import pytest

from chainer_style.errors import UserError
from chainer_style.networks import NETWORKS, VGG16, Tap
from chainer_style.networks.nodes import Conv, sequential
from chainer_style.weights import keras, store
from chainer_style.weights.convert import convert, default_target
from chainer_style.weights.identify import recognise

PART = published.NETWORK.upto_taps()


@pytest.fixture
def parameters():
    return published.arrays()


@pytest.fixture
def path(tmp_path: Path, parameters) -> Path:
    path = tmp_path / "small_notop.h5"
    published.write_keras(path, parameters)
    return path


@pytest.mark.parametrize("nested", [True, False])
def test_load(tmp_path: Path, parameters, nested: bool) -> None:
    path = tmp_path / "w.h5"
    published.write_keras(path, parameters, nested=nested)
    weights = keras.load(path, PART)
    assert (weights.network, weights.kind, weights.source) == (
        "small",
        "trained",
        "w.h5",
    )
    assert weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert set(weights.arrays) == {"conv1_1", "conv1_2"}
    for layer, arrays in weights.arrays.items():
        for key, array in arrays.items():
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
            np.testing.assert_array_equal(array, parameters[layer][key])


def test_it_computes_what_keras_computes(path: Path, random) -> None:
    """A cross-correlation over (height, width, in, out), padded with zeros."""
    picture = random.uniform(-1, 1, (5, 6, 3))
    with h5py.File(path) as file:
        filters = file["block1_conv1/block1_conv1_W_1:0"][...].astype(float)
        bias = file["block1_conv1/block1_conv1_b_1:0"][...].astype(float)
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
    expected = np.einsum("yxchw,hwco->yxo", windows, filters) + bias

    weights = keras.load(path, PART).arrays["conv1_1"]
    found = chainer.functions.convolution_2d(
        picture.transpose(2, 0, 1)[None].astype(np.float32),
        weights["W"],
        weights["b"],
        pad=1,
    )
    np.testing.assert_allclose(
        found.array[0].transpose(1, 2, 0), expected, rtol=1e-5, atol=1e-5
    )


def test_names_of_vgg16(tmp_path: Path) -> None:
    shapes = VGG16.parameter_shapes()
    tiny = {
        layer: {"W": np.zeros((1, 1, 1, 1), np.float32), "b": np.zeros(1, np.float32)}
        for layer in shapes
        if layer.startswith("conv")
    }
    published.write_keras(tmp_path / "w.h5", tiny)
    assert set(keras.read(tmp_path / "w.h5").arrays()) == set(tiny)


def test_convert(path: Path, monkeypatch, parameters) -> None:
    monkeypatch.setitem(NETWORKS, "small", published.NETWORK)
    assert recognise(keras.read(path), "w") is published.NETWORK
    target = path.with_name("small.h5")
    assert convert(path, target).network == "small"
    stored = store.load(target, PART)
    assert stored.source == path.name
    np.testing.assert_array_equal(
        stored.arrays["conv1_2"]["W"], parameters["conv1_2"]["W"]
    )


def test_the_fully_connected_layers_are_not_there(path: Path) -> None:
    with pytest.raises(UserError, match="layer fc is missing"):
        convert(path, path.with_name("w.h5"), published.NETWORK, whole=True)
    assert not path.with_name("w.h5").exists()


def test_vgg19_is_not_taken_for_vgg16(
    tmp_path: Path, monkeypatch, random_arrays
) -> None:
    """It has every layer of VGG-16, and more in between."""
    deeper = dataclasses.replace(
        published.NETWORK,
        name="deeper",
        title="Deeper",
        nodes=sequential(
            *(
                Conv(f"conv{block}_{i}", channels=6, kernel=3, pad=1)
                for block in (1, 2)
                for i in (1, 2)
            ),
        ),
        taps=(Tap("conv2_2", "conv2_2", content=1, style=1),),
    )
    shallow = dataclasses.replace(
        deeper,
        name="shallow",
        title="Shallow",
        nodes=sequential(
            *(
                Conv(name, channels=6, kernel=3, pad=1)
                for name in ("conv1_1", "conv1_2", "conv2_2")
            )
        ),
    )
    for network in (deeper, shallow):
        monkeypatch.setitem(NETWORKS, network.name, network)
    path = tmp_path / "w.h5"
    published.write_keras(path, random_arrays(deeper))
    assert recognise(keras.read(path), "w") is deeper
    with pytest.raises(UserError, match=r"w\.h5 is Deeper, not Shallow"):
        keras.load(path, shallow.upto_taps())


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("a.caffemodel", "a.h5"),
        ("VGG_ILSVRC_16_layers.caffemodel", "VGG_ILSVRC_16_layers.h5"),
        ("vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "vgg19.h5"),
        ("mine.h5", "mine-new.h5"),
    ],
)
def test_default_target(name: str, target: str) -> None:
    assert default_target(Path("x") / name) == Path("x") / target


def edit(path: Path, how) -> None:
    with h5py.File(path, "r+") as file:
        how(file)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda f: f.attrs.__delitem__("layer_names"), "not a file of Keras' VGG"),
        (lambda f: f.attrs.__setitem__("layer_names", [b"fc1"]), "not a file of Keras"),
        (lambda f: f.__delitem__("block1_conv1"), "cannot read"),
        (
            lambda f: f["block1_conv1"].attrs.__delitem__("weight_names"),
            "cannot read",
        ),
        (
            lambda f: f["block1_conv1"].attrs.__setitem__(
                "weight_names", [b"block1_conv1_W_1:0"]
            ),
            "should hold filters and a bias, not 3×3×3×8",
        ),
        (
            lambda f: f["block1_conv1"].attrs.__setitem__("weight_names", [b"."]),
            "is not an array of floats",
        ),
    ],
)
def test_other_files(path: Path, how, reason: str) -> None:
    edit(path, how)
    with pytest.raises(UserError, match=reason) as caught:
        keras.load(path, PART)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_theanos_kernels_are_refused(tmp_path: Path, parameters) -> None:
    turned = {
        layer: {"W": a["W"].transpose(3, 2, 0, 1), "b": a["b"]}
        for layer, a in parameters.items()
        if a["W"].ndim == 4
    }
    published.write_keras(tmp_path / "th.h5", turned)
    with pytest.raises(UserError, match="conv1_1/W has shape"):
        keras.load(tmp_path / "th.h5", PART)


def test_a_promise_larger_than_the_file(path: Path) -> None:
    def grow(file: h5py.File) -> None:
        del file["block1_conv1/block1_conv1_W_1:0"]
        file["block1_conv1"].create_dataset(
            "block1_conv1_W_1:0", (3, 3, 3, 10**9), "f4", chunks=(3, 3, 3, 1)
        )

    edit(path, grow)
    with pytest.raises(UserError, match="larger than the whole file"):
        keras.read(path)


def test_a_truncated_file(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"cannot read .* as Keras' weights"):
        keras.read(path)


def test_a_store_of_ours_is_not_keras(path: Path) -> None:
    target = path.with_name("ours.h5")
    convert(path, target, published.NETWORK)
    with pytest.raises(UserError, match="not a file of Keras' VGG"):
        keras.read(target)
