from __future__ import annotations

import dataclasses
import hashlib
import tracemalloc
from pathlib import Path

import caffe_files
import h5py
import numpy as np
import published
import pytest
from caffe_files import Blob, Layer

from chainer_style.errors import UserError
from chainer_style.networks import NETWORKS, NIN, Network
from chainer_style.weights import store, summary
from chainer_style.weights.collection import Weights

W = np.float32([[[[-1.5, 2]]], [[[0.25, 0.25]]]])
B = np.float32([3, 5])


def written(path: Path, *layers: Layer, name: str = "net") -> summary.Summary:
    path.write_bytes(caffe_files.encode(list(layers), name))
    return summary.summarise(path)


@pytest.mark.parametrize(("conv", "fc"), [(4, 14), ("Convolution", "InnerProduct")])
def test_a_caffe_model(tmp_path: Path, conv, fc) -> None:
    relu, v1 = (18, "V1") if conv == 4 else ("ReLU", "V2")
    path = tmp_path / "m.caffemodel"
    found = written(
        path,
        Layer("conv", conv, (Blob(W, double=True), Blob(B, shape="legacy"))),
        Layer("relu", relu),
        Layer("fc", fc, (Blob(np.float32([[7]]), data="unpacked"),)),
        Layer("relu2", relu),
        name="a/b",
    )
    assert [dataclasses.astuple(array) for array in found.arrays] == [
        ("conv", "Convolution", "W", (2, 1, 1, 2), 4, 32, -1.5, 0.25, 2),
        ("conv", "Convolution", "b", (1, 1, 1, 2), 2, 8, 3, 4, 5),
        ("fc", "InnerProduct", "W", (1, 1), 1, 4, 7, 7, 7),
    ]
    assert found.without == {"ReLU": 2}
    content = path.read_bytes()
    assert found.facts["name"] == "'a/b'"
    assert found.facts["format"] == f"Caffe {v1}"
    assert found.facts["size"].endswith(f"({len(content)} bytes)")
    assert found.facts["sha256"] == hashlib.sha256(content).hexdigest()
    assert found.facts["network"].startswith("none that is known; ")


def test_the_network_is_recognised(tmp_path: Path, random_arrays) -> None:
    part = NIN.upto_taps()
    path = tmp_path / "m.caffemodel"
    path.write_bytes(caffe_files.model_of(random_arrays(part)))
    found = summary.summarise(path)
    assert found.facts["network"] == "NIN"
    shapes = [s for layer in part.parameter_shapes().values() for s in layer.values()]
    assert [array.shape for array in found.arrays] == shapes


def test_a_store(tmp_path: Path, network: Network, arrays) -> None:
    path = tmp_path / "w.h5"
    store.save(Weights(network.name, "trained", arrays, "m.x", "ab" * 32, 7), path)
    found = summary.summarise(path)
    assert found.facts == {
        "network": "'tiny', which is not known",
        "kind": "trained weights",
        "format": "chainer-style weights, version 1",
        "source": "'m.x'",
        "source's sha256": "ab" * 32,
        "seed": "7",
        "size": found.facts["size"],
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert [(a.layer, a.type, a.key) for a in found.arrays] == [
        ("conv1/3x3_s2", "Convolution", "W"),
        ("conv1/3x3_s2", "Convolution", "b"),
        ("fc", "InnerProduct", "W"),
        ("fc", "InnerProduct", "b"),
        ("mixed/1x1", "Convolution", "W"),
        ("mixed/1x1", "Convolution", "b"),
    ]
    assert found.arrays[2].mean == pytest.approx(arrays["fc"]["W"].mean(), rel=1e-5)


def test_a_file_of_keras(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(NETWORKS, "small", published.NETWORK)
    path = tmp_path / "small_notop.h5"
    parameters = published.arrays()
    published.write_keras(path, parameters)
    found = summary.summarise(path)
    assert found.facts["network"] == "Small"
    assert found.facts["format"].startswith("Keras; ")
    assert found.facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [(a.layer, a.type, a.key, a.shape) for a in found.arrays] == [
        ("conv1_1", "Convolution", "W", (8, 3, 3, 3)),
        ("conv1_1", "Convolution", "b", (8,)),
        ("conv1_2", "Convolution", "W", (6, 8, 3, 3)),
        ("conv1_2", "Convolution", "b", (6,)),
    ]
    assert found.arrays[2].maximum == parameters["conv1_2"]["W"].max()
    assert "shown as out×in×height×width" in summary.render(found)


def test_hdf5_of_others(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file["data"] = W
    with pytest.raises(UserError, match=r"w\.h5 is not a file of Keras' VGG weights"):
        summary.summarise(path)


@pytest.mark.filterwarnings("error")
def test_whatever_numbers_there_are(tmp_path: Path) -> None:
    odd = [[np.inf, -np.inf], [np.nan, 1], [3e38, 3e38], []]
    blobs = tuple(Blob(np.float32(values)) for values in odd)
    found = written(tmp_path / "m", Layer("odd", "", blobs))
    assert [array.key for array in found.arrays] == ["W", "b", "2", "3"]
    assert [str(array.mean) for array in found.arrays[:2]] == ["nan", "nan"]
    assert found.arrays[2].mean == pytest.approx(3e38)
    assert np.isnan([found.arrays[1].minimum, found.arrays[3].maximum]).all()


def test_memory_stays_small(tmp_path: Path) -> None:
    blob = Blob(np.ones((100, 10_000), np.float32), data="unpacked")
    path = tmp_path / "m.caffemodel"
    written(path, Layer("fc", 14, (blob,)))
    tracemalloc.start()
    try:
        summary.summarise(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < blob.values.nbytes / 4


def test_columns_are_aligned(tmp_path: Path) -> None:
    found = written(
        tmp_path / "m",
        Layer("a-long-name", 4, (Blob(np.zeros((64, 3, 3, 3), "f4")), Blob(B))),
        Layer("b", 14, (Blob(np.float32([[-0.123456]])),)),
        Layer("c\n\x1b[2J", 18),
    )
    text = summary.render(found)
    lines = text.splitlines()
    table = lines[lines.index("") + 1 :]
    assert table[1].split() == [
        *("a-long-name", "Convolution", "W", "64×3×3×3", "1,728", "6,912"),
        *("0", "0", "0"),
    ]
    assert table[2].split() == ["b", "2", "2", "8", "3", "4", "5"]
    assert table[4].split() == ["total", "2", "layers", "1,731", "6,924"]
    ends = [
        line.index(word) + len(word)
        for line, word in zip(
            table, ("parameters", "1,728", "2  ", "1  ", "1,731"), strict=False
        )
    ]
    assert ends[0] == ends[1] == ends[4]
    assert lines[-1] == "layers without parameters: 1 (ReLU 1)"
    assert "\x1b" not in text


def test_names_do_not_reach_the_terminal_raw(tmp_path: Path) -> None:
    bad = "x\n\x1b[2J"
    found = written(
        tmp_path / "m", Layer(bad, bad, (Blob(B),)), Layer("", bad), name=bad
    )
    text = summary.render(found)
    assert "\x1b" not in text
    assert text.count(repr(bad)) == 4


def test_refuses_what_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "m.caffemodel"
    written(path, Layer("conv", 4, (Blob(W),)))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError, match="at byte"):
        summary.summarise(path)
    with pytest.raises(UserError, match="is a folder"):
        summary.summarise(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="is empty"):
        summary.summarise(path)
