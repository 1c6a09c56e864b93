from __future__ import annotations

import dataclasses
import functools
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import chainer_style
from chainer_style.errors import UserError
from chainer_style.networks import NIN, VGG16, Network
from chainer_style.weights import store
from chainer_style.weights.collection import Weights

FILE_NAME = "m.caffemodel"


@pytest.fixture
def weights(network: Network, arrays) -> Weights:
    return Weights(network.name, "trained", arrays, FILE_NAME, "ab" * 32, 7)


@pytest.fixture
def path(tmp_path: Path, weights: Weights) -> Path:
    """A store with the weights."""
    store.save(weights, tmp_path / "w.h5")
    return tmp_path / "w.h5"


def assert_same(a: Weights, b: Weights) -> None:
    plain = [dataclasses.replace(x, arrays={}) for x in (a, b)]
    assert plain[0] == plain[1]
    assert set(a.arrays) == set(b.arrays)
    for layer, parameters in a.arrays.items():
        assert set(parameters) == set(b.arrays[layer])
        for key, array in parameters.items():
            assert array.dtype == b.arrays[layer][key].dtype == np.float32
            np.testing.assert_array_equal(array, b.arrays[layer][key])


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)


@settings(max_examples=100)
@given(
    st.builds(
        Weights,
        network=TEXTS,
        kind=st.sampled_from(["trained", "seeded"]),
        arrays=st.dictionaries(
            st.sampled_from(["a", ".", "..", "a/b", "/a", "a//b", "a/b/W", "a%2Fb"])
            | st.text(st.characters(codec="utf-8"), min_size=1, max_size=6),
            st.dictionaries(
                st.sampled_from("Wb"),
                hnp.arrays(
                    np.float32,
                    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3),
                ),
            ),
            max_size=4,
        ),
        source=TEXTS,
        sha256=st.none() | st.just("0f" * 32),
        seed=st.none() | st.integers(0, 2**32 - 1),
    )
)
def test_round_trip(scratch: Path, weights: Weights) -> None:
    store.save(weights, scratch)
    assert_same(store.load(scratch), weights)


def test_what_lies_in_the_file(path: Path, arrays) -> None:
    with h5py.File(path) as file:
        attributes = {
            key: value.decode() if isinstance(value, bytes) else value
            for key, value in file.attrs.items()
        }
        assert attributes == {
            "format": "chainer-style weights",
            "version": 1,
            "units": "network input: 0..255 minus mean",
            "channel_order": "BGR",
            "layout": "OIHW",
            "network": "tiny",
            "kind": "trained",
            "source": FILE_NAME,
            "sha256": "ab" * 32,
            "seed": 7,
            "package_version": chainer_style.__version__,
        }
        assert sorted(file) == ["conv1%2F3x3_s2", "fc", "mixed%2F1x1"]
        for group in file.values():
            for dataset in group.values():
                assert dataset.dtype == np.dtype("<f4")
                assert dataset.chunks is None  # contiguous
        np.testing.assert_array_equal(file["fc/W"], arrays["fc"]["W"])


def test_reads_what_the_network_needs(path: Path, network, weights: Weights) -> None:
    part = network.upto_taps()
    with h5py.File(path, "a") as file:
        file["fc/W"].attrs["crc32"] = 0  # to be noticed only when it is read
    assert_same(store.load(path, part), weights.for_network(part))
    with pytest.raises(UserError, match="the checksum of '/fc/W' differs"):
        store.load(path, network)
    with pytest.raises(UserError, match="the checksum of '/fc/W' differs"):
        store.load(path)


def test_arrays_are_ready_for_use(path: Path, network: Network) -> None:
    for parameters in store.load(path, network).arrays.values():
        for array in parameters.values():
            assert array.flags.c_contiguous
            assert array.flags.aligned
            assert array.flags.writeable


def test_float64_is_kept_as_float32(tmp_path: Path) -> None:
    array = np.array([0.1, 0.2])[::-1]
    weights = Weights("n", "seeded", {"a": {"b": array}}, "s")
    store.save(weights, tmp_path / "w.h5")
    read = store.load(tmp_path / "w.h5").arrays["a"]["b"]
    np.testing.assert_array_equal(read, array.astype(np.float32))


def test_a_store_is_opened_lazily(path: Path, weights: Weights) -> None:
    with h5py.File(path, "a") as file:
        file["fc/W"].attrs["crc32"] = 0
    with store.opened(path) as file:
        assert_same(file.about, dataclasses.replace(weights, arrays={}))
        assert file.layers == ("conv1/3x3_s2", "fc", "mixed/1x1")
        np.testing.assert_array_equal(
            file.read("mixed/1x1")["W"], weights.arrays["mixed/1x1"]["W"]
        )
        with pytest.raises(UserError, match="checksum"):
            file.read("fc")


# -- refused --------------------------------------------------------------


def test_the_weights_of_another_network(tmp_path: Path, path: Path) -> None:
    with pytest.raises(UserError, match="holds the weights of 'tiny', not of NIN"):
        store.load(path, NIN)
    store.save(Weights("nin", "seeded", {}, "s"), path)
    with pytest.raises(UserError, match="holds the weights of NIN, not of VGG-16"):
        store.load(path, VGG16)


def test_a_part_does_not_serve_the_whole(tmp_path: Path, network, weights) -> None:
    store.save(weights.for_network(network.upto_taps()), tmp_path / "w.h5")
    with pytest.raises(UserError, match="weights of Tiny: layer fc is missing"):
        store.load(tmp_path / "w.h5", network)


def keras(path: Path, **how: object) -> None:
    with h5py.File(path, "w", **how) as file:
        file.attrs["layer_names"] = [b"block1_conv1"]
        file["block1_conv1/block1_conv1_W_1:0"] = np.zeros((3, 3, 3, 64), np.float32)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no file"),
        (Path.mkdir, "is a folder"),
        (Path.touch, "is not an HDF5 file"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), "is not an HDF5 file"),
        (keras, "of another kind"),
        (functools.partial(keras, libver="v110"), "of another kind"),
    ],
    ids=["missing", "folder", "empty", "png", "keras", "keras-v110"],
)
def test_other_files(tmp_path: Path, make, message: str) -> None:
    path = tmp_path / "other.h5"
    make(path)
    with pytest.raises(UserError, match=message) as caught:
        store.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_must_not_be_read(path: Path, monkeypatch) -> None:
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=r"cannot read .*w\.h5: Permission denied$"):
        store.load(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("version", 2, "has version 2 of the format.* install a newer"),
        ("version", 0, "is damaged: there never was a version 0"),
        ("version", np.bytes_("1"), "attribute version is missing or not a number"),
        ("version", None, "attribute version is missing"),
        ("format", np.bytes_("other"), "of another kind"),
        ("channel_order", np.bytes_("RGB"), "should be 'BGR', not 'RGB'"),
        ("units", None, "attribute units is missing"),
        ("kind", np.bytes_("stolen"), "unknown kind of weights 'stolen'"),
        ("source", 5, "attribute source is missing or not a text"),
        ("source", np.bytes_(b"\xff"), "is damaged: "),
        ("seed", 0.5, "attribute seed is missing or not a number"),
    ],
)
def test_attributes_are_checked(path: Path, key: str, value, message: str) -> None:
    with h5py.File(path, "a") as file:
        del file.attrs[key]
        if value is not None:
            file.attrs[key] = value
    with pytest.raises(UserError, match=message):
        store.load(path)


def replaced(name: str, **dataset):
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **dataset)

    return change


def aliased(file: h5py.File) -> None:
    """Let other layers be the large one, under another name."""
    large = np.ones(1 << 16, np.float32)
    replaced("fc/W", data=large)(file)
    file["fc/W"].attrs["crc32"] = zlib.crc32(large)
    for name in ("conv1%2F3x3_s2", "mixed%2F1x1"):
        del file[name]
        file[name] = file["fc"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced("fc/W", data=[1, 2]), "'/fc/W' is not an array of float32"),
        (replaced("fc/W", data=h5py.Empty("f4")), "is damaged: "),
        (replaced("fc/W", data=np.float32([1])), "attribute crc32 is missing"),
        (replaced("fc/W", shape=10**13, dtype="f4"), "larger than the whole file"),
        (replaced("fc", data=np.float32([1])), "'/fc' is not a layer"),
        (lambda file: file["fc"].move("W", "V"), "Tiny: fc has no weights"),
        (lambda file: file["fc/W"].write_direct(np.zeros((6, 80), "f4")), "checksum"),
        (aliased, "its layers are larger than the whole file"),
    ],
)
def test_layers_are_checked(path: Path, network, change, message: str) -> None:
    with h5py.File(path, "a", libver=("v110", "v110")) as file:
        change(file)
    with pytest.raises(UserError, match=message):
        store.load(path, network)


@settings(max_examples=200)
@given(st.data())
def test_damage_is_noticed(scratch: Path, data: st.DataObject) -> None:
    arrays = {"a/b": {"W": np.ones((2, 3), np.float32), "b": np.ones(2, np.float32)}}
    weights = Weights("tiny", "seeded", arrays, "a recipe", seed=3)
    store.save(weights, scratch)
    content = bytearray(scratch.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    scratch.write_bytes(content)
    try:
        read = store.load(scratch)
    except UserError as error:
        message = str(error)
    else:  # in a gap that holds nothing
        assert_same(read, weights)
        return
    assert str(scratch) in message
    assert "\n" not in message


# -- written whole or not at all ------------------------------------------


def test_a_failure_leaves_the_old_file(path: Path, weights: Weights) -> None:
    before = path.read_bytes()
    broken = {"a": {"W": np.ones(3)}, "b": {"W": np.array(["no number"])}}
    with pytest.raises(ValueError, match="could not convert"):
        store.save(dataclasses.replace(weights, arrays=broken), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path: Path, weights: Weights) -> None:
    with pytest.raises(UserError, match="cannot write") as caught:
        store.save(weights, tmp_path / "no" / "w.h5")
    assert "\n" not in str(caught.value)


def test_a_full_disk(path: Path, weights: Weights) -> None:
    resource = pytest.importorskip("resource", reason="limits of POSIX systems")
    before = path.read_bytes()
    large = {"a": {"W": np.ones(1 << 18, np.float32)}}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, limits[1]))
    try:
        with pytest.raises(UserError, match=r"cannot write .*too large") as caught:
            store.save(dataclasses.replace(weights, arrays=large), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
