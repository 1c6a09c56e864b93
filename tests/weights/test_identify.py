"""A file of weights is taken for the network that it is, and for no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import caffe_files
import numpy as np
import pytest

from chainer_style import weights
from chainer_style.errors import UserError
from chainer_style.networks import (
    ALEXNET,
    GOOGLENET,
    NETWORKS,
    NIN,
    VGG16,
    VGG19,
    Network,
)
from chainer_style.weights import caffe
from chainer_style.weights.convert import convert
from chainer_style.weights.identify import check, recognise


def shaped(*shapes) -> dict[str, np.ndarray]:
    """Parameters of the given shapes that take no memory."""
    return {
        key: np.broadcast_to(np.float32(0), shape)
        for key, shape in zip("Wb", (*shapes, shapes[0][:1]), strict=False)
    }


def placeholders(network: Network) -> dict[str, dict[str, np.ndarray]]:
    """Parameters of a network, in its shapes."""
    return {
        layer: shaped(*shapes.values())
        for layer, shapes in network.parameter_shapes().items()
    }


class Model:
    """A Caffe model of given parameters, without a file."""

    def __init__(self, arrays, kind: str = "Convolution") -> None:
        self._arrays = arrays
        self.layers = [caffe.CaffeLayer(name, kind, ()) for name in arrays]

    def arrays(self):
        return self._arrays


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("part", [True, False])
def test_recognise(network: Network, part: bool) -> None:
    arrays = placeholders(network.upto_taps() if part else network)
    assert recognise(Model(arrays), "m") is network


@pytest.mark.parametrize("part", [True, False])
def test_googlenet_is_recognised_with_the_classifiers_of_its_training(part) -> None:
    arrays = {}
    for layer, parameters in placeholders(GOOGLENET.upto_taps()).items():
        arrays[layer] = parameters
        if layer == "inception_4a/pool_proj":  # loss1 reads inception_4a
            arrays["loss1/conv"] = shaped((128, 512, 1, 1))
            arrays["loss1/fc"] = shaped((1024, 2048))
    if not part:
        arrays["loss2/conv"] = shaped((128, 528, 1, 1))
    assert recognise(Model(arrays), "m") is GOOGLENET


def test_a_convolution_in_between_is_another_network() -> None:
    arrays = {}
    for layer, parameters in placeholders(VGG16).items():
        arrays[layer] = parameters
        if layer == "conv3_3":
            arrays["conv3_x"] = parameters
    with pytest.raises(UserError) as caught:
        recognise(Model(arrays), "other.caffemodel")
    assert str(caught.value) == (
        "other.caffemodel is none of the networks "
        f"{', '.join(sorted(NETWORKS))}; VGG-16 comes closest, but it has conv3_x, "
        "which VGG-16 lacks"
    )


def test_caffenet_is_not_taken_for_alexnet() -> None:
    """All its parameters have AlexNet's names and shapes."""
    model = Model(placeholders(ALEXNET))
    names = ["conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2"]
    model.layers = [
        *(caffe.CaffeLayer(name, "", ()) for name in names),
        *model.layers[2:],
    ]
    with pytest.raises(UserError, match="AlexNet comes closest, but it has pool1 befo"):
        recognise(model, "caffenet.caffemodel")
    model.layers[2], model.layers[3] = model.layers[3], model.layers[2]
    model.layers[6], model.layers[7] = model.layers[7], model.layers[6]
    assert recognise(model, "alexnet.caffemodel") is ALEXNET


def test_what_lies_above_the_taps_may_be_another_networks() -> None:
    """As in fully convolutional networks made from VGG-16."""
    arrays = placeholders(VGG16.upto_taps())
    arrays["fc6"] = shaped((4096, 512, 7, 7))
    arrays["score_fr"] = shaped((21, 4096, 1, 1))
    assert recognise(Model(arrays), "fcn.caffemodel") is VGG16
    check(Model(arrays), VGG16.upto_taps(), "fcn.caffemodel")


def test_other_classifiers_on_the_same_network_are_recognised() -> None:
    arrays = placeholders(NIN.upto_taps())
    arrays["fc-flickr"] = {"W": np.zeros((20, 1024), np.float32)}
    model = Model(arrays)
    model.layers[-1] = caffe.CaffeLayer("fc-flickr", "InnerProduct", ())
    assert recognise(model, "m") is NIN


def test_the_closest_is_described() -> None:
    arrays = placeholders(NIN.upto_taps())
    del arrays["cccp1"]
    arrays["conv2"] = {"W": np.zeros((256, 96, 3, 3), np.float32)}
    with pytest.raises(UserError) as caught:
        recognise(Model(arrays), "m")
    assert str(caught.value).endswith(
        "NIN comes closest, but layer cccp1 is missing; conv2/W has shape 256×96×3×3, "
        "not 256×96×5×5; conv2 has no bias"
    )


def test_a_part_is_held_against_the_whole() -> None:
    """VGG-19 is not VGG-16, even where only layers below conv3_4 are wanted."""
    model = Model(placeholders(VGG19))
    with pytest.raises(UserError, match="is VGG-19, not VGG-16: it has conv3_4, which"):
        check(model, VGG16.upto("relu1_2"), "m")


@pytest.mark.parametrize("wanted", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("given", NETWORKS.values(), ids=NETWORKS)
def test_every_pair_of_networks(wanted: Network, given: Network) -> None:
    model = Model(placeholders(given))
    if given is wanted:
        check(model, wanted, "m")
        check(model, wanted.upto_taps(), "m")
        return
    with pytest.raises(UserError) as caught:
        check(model, wanted.upto_taps(), "m")
    message = str(caught.value)
    assert message.startswith(f"m is {given.title}, not {wanted.title}: ")
    assert "\n" not in message


def test_shapes_that_differ_are_told_name_by_name() -> None:
    arrays = placeholders(VGG16)
    arrays["conv1_1"] = shaped((32, 3, 3, 3))
    arrays["conv1_2"] = shaped((32, 32, 3, 3))
    with pytest.raises(UserError) as caught:
        check(Model(arrays), VGG16, "m")
    assert str(caught.value) == (
        "m does not hold the weights of VGG-16: conv1_1/W has shape 32×3×3×3, not "
        "64×3×3×3; conv1_1/b has shape 32, not 64; conv1_2/W has shape 32×32×3×3, "
        "not 64×64×3×3 (and 1 more)"
    )


def test_a_network_of_ones_own_may_be_a_part_of_its_file(network, arrays) -> None:
    """Nobody knows what else that network has."""
    check(Model(arrays), network.upto("conv1/relu"), "m")
    with pytest.raises(UserError, match="is NIN, not Tiny: layer conv1/3x3_s2 is miss"):
        check(Model(placeholders(NIN)), network, "m")


@pytest.fixture(scope="module")
def vgg19_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg19") / "vgg19.caffemodel"
    path.write_bytes(caffe_files.model_of(placeholders(VGG19.upto_taps())))
    return path


@pytest.mark.parametrize(
    "read",
    [
        lambda path: caffe.load(path, VGG16.upto_taps()),
        lambda path: weights.load(str(path), VGG16.upto_taps()),
        lambda path: convert(path, path.with_suffix(".h5"), VGG16),
    ],
    ids=["caffe.load", "weights.load", "convert"],
)
def test_every_way_in_refuses_another_networks_file(
    vgg19_file: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(UserError) as caught:
        read(vgg19_file)
    assert str(caught.value) == (
        "vgg19.caffemodel is VGG-19, not VGG-16: it has conv3_4, which VGG-16 lacks"
    )
    assert not vgg19_file.with_suffix(".h5").exists()


def test_a_strange_name_stays_in_its_line() -> None:
    arrays = placeholders(NIN.upto_taps())
    arrays = {"conv\n\x1b": arrays["conv1"], **arrays}
    with pytest.raises(UserError, match=r"it has 'conv\\n\\x1b', which NIN lacks$"):
        recognise(Model(arrays), "m")
