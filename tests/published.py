"""A small network with published files of its own, for tests of fetching."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import caffe_files
import h5py
import numpy as np

from chainer_style.networks import Network, Tap
from chainer_style.networks.nodes import Conv, Linear, ReLU, sequential
from chainer_style.weights import store
from chainer_style.weights.obtain import Watch
from chainer_style.weights.registry import Mirror, Original

Arrays = Mapping[str, Mapping[str, np.ndarray]]

NETWORK = Network(
    name="small",
    title="Small",
    nodes=sequential(
        Conv("conv1_1", channels=8, kernel=3, pad=1),
        ReLU("relu1_1"),
        Conv("conv1_2", channels=6, kernel=3, pad=1),
        ReLU("relu1_2"),
        Linear("fc", channels=500),
    ),
    taps=(Tap("conv1_2", "relu1_2", content=1, style=1),),
    mean=(1.0, 2.0, 3.0),
    input_size=4,
    source="made for the tests",
)
"""A part that the taps see, named as VGG's, and a larger one that they do not."""


def arrays(seed: int = 0) -> dict[str, dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    return {
        layer: {
            key: random.standard_normal(shape, np.float32)
            for key, shape in shapes.items()
        }
        for layer, shapes in NETWORK.parameter_shapes().items()
    }


def caffemodel(seed: int = 0) -> bytes:
    return caffe_files.model_of(arrays(seed))


def original(
    content: bytes,
    *urls: str,
    layout: str = "caffe",
    name: str = "small_layers.caffemodel",
    checksums: tuple[str, ...] = ("sha256", "sha1"),
    **more: object,
) -> Original:
    """Return the registry's entry of a file with that content."""
    digests = tuple((a, hashlib.new(a, content).hexdigest()) for a in checksums)
    return Original(
        **{
            "network": NETWORK.name,
            "layout": layout,
            "name": name,
            "size": len(content),
            "checksums": digests,
            "source": "these tests",
            "licence": "none",
            "licence_source": "these tests",
            "mirrors": tuple(Mirror(url, "these tests") for url in urls),
            **more,
        }
    )


def write_keras(path: Path, parameters: Arrays, *, nested: bool = False) -> None:
    """Write convolutions as Keras does: legacy HDF5, (height, width, in, out).

    Source: keras-team/keras 51d7e77, keras/src/legacy/saving/legacy_h5_format.py
    (`save_weights_to_hdf5_group`). Older files named the arrays ``NAME_W_1:0``, later
    ones ``NAME/kernel:0``.
    """
    with h5py.File(path, "w", libver="earliest") as file:
        names = ["input_1"]
        file.create_group("input_1").attrs["weight_names"] = np.zeros(0, "S1")
        for layer, arrays in parameters.items():
            if arrays["W"].ndim != 4:
                continue
            block, number = layer.removeprefix("conv").split("_")
            name = f"block{block}_conv{number}"
            ends = ("/kernel:0", "/bias:0") if nested else ("_W_1:0", "_b_1:0")
            group = file.create_group(name)
            values = (arrays["W"].transpose(2, 3, 1, 0), arrays["b"])
            for end, array in zip(ends, values, strict=True):
                group.create_dataset(name + end, data=array)
            group.attrs["weight_names"] = [(name + end).encode() for end in ends]
            names.append(name)
        file.attrs["layer_names"] = [name.encode() for name in names]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.0"


class Notes(Watch):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.bytes: list[tuple[str, int, int | None]] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, name: str, done: int, total: int | None) -> None:
        self.bytes.append((name, done, total))


def files(home: Path) -> list[str]:
    """Names of what lies in a folder of weights, without locks."""
    return sorted(p.name for p in home.iterdir() if not p.name.endswith(".lock"))


def check(path: Path, seed: int = 0) -> None:
    """See that a store holds what was published."""
    weights = store.load(path, NETWORK.upto_taps())
    assert weights.kind == "trained"
    for layer, parameters in weights.arrays.items():
        for key, array in parameters.items():
            np.testing.assert_array_equal(array, arrays(seed)[layer][key])
