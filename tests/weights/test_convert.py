from __future__ import annotations

import hashlib
from pathlib import Path

import caffe_files
import numpy as np
import pytest

from chainer_style.errors import UserError
from chainer_style.networks import NETWORKS, NIN, VGG16, Network
from chainer_style.weights import caffe, store
from chainer_style.weights.convert import convert, recognise


def placeholders(network: Network) -> dict[str, dict[str, np.ndarray]]:
    """Parameters in the right shapes that take no memory."""
    return {
        layer: {
            key: np.broadcast_to(np.float32(0), shape) for key, shape in shapes.items()
        }
        for layer, shapes in network.parameter_shapes().items()
    }


class Model:
    """A Caffe model of given parameters, without a file."""

    def __init__(self, arrays, kind: str = "Convolution") -> None:
        self._arrays = arrays
        self.layers = [caffe.CaffeLayer(name, kind, ()) for name in arrays]

    def arrays(self):
        return self._arrays


@pytest.fixture
def source(tmp_path: Path, arrays) -> Path:
    path = tmp_path / "m.caffemodel"
    path.write_bytes(caffe_files.model_of(arrays))
    return path


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    """Make the tests' network one of the package's."""
    monkeypatch.setitem(NETWORKS, network.name, network)


@pytest.mark.parametrize("whole", [True, False])
def test_convert(tmp_path: Path, source: Path, network, arrays, whole: bool) -> None:
    wanted = network if whole else network.upto_taps()
    target = tmp_path / "w.h5"
    returned = convert(source, target, network, whole=whole)
    read = store.load(target)
    assert read.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (read.network, read.kind, read.source) == ("tiny", "trained", source.name)
    assert set(read.arrays) == set(wanted.parameter_shapes()) == set(returned.arrays)
    for layer, parameters in read.arrays.items():
        for key, array in parameters.items():
            np.testing.assert_array_equal(array, arrays[layer][key])


@pytest.mark.usefixtures("known")
def test_convert_recognises_and_keeps_the_part(tmp_path: Path, source: Path) -> None:
    weights = convert(source, tmp_path / "w.h5")
    assert weights.network == "tiny"
    assert list(store.load(tmp_path / "w.h5").arrays) == ["conv1/3x3_s2", "mixed/1x1"]


def test_convert_does_not_overwrite_its_source(tmp_path: Path, source: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    for target in (source, tmp_path / "link"):
        with pytest.raises(UserError, match="is the file to convert"):
            convert(source, target)


def test_convert_of_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "w.h5").touch()
    with pytest.raises(UserError, match="there is no file"):
        convert(tmp_path / "no", tmp_path / "w.h5")


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("part", [True, False])
def test_recognise(network: Network, part: bool) -> None:
    arrays = placeholders(network.upto_taps() if part else network)
    assert recognise(Model(arrays), "m") is network


def test_vgg19_is_not_taken_for_vgg16() -> None:
    arrays = placeholders(VGG16)
    arrays["conv3_4"] = arrays["conv3_3"]
    with pytest.raises(UserError) as caught:
        recognise(Model(arrays), "vgg19.caffemodel")
    assert str(caught.value) == (
        "vgg19.caffemodel is none of the networks "
        f"{', '.join(sorted(NETWORKS))}; VGG-16 comes closest, but it has no layer "
        "conv3_4"
    )


def test_a_strange_name_stays_in_its_line() -> None:
    arrays = placeholders(NIN)
    arrays["conv\n\x1b"] = arrays["conv1"]
    with pytest.raises(UserError, match=r"it has no layer 'conv\\n\\x1b'$"):
        recognise(Model(arrays), "m")


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
