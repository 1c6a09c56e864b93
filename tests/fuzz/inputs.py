"""Inputs for the readers of weights: good files, and what chance makes of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import caffe_files
import h5py
import numpy as np
from caffe_files import Blob, Layer

from chainer_style.weights import store
from chainer_style.weights.collection import Weights

OTHERS = (
    b"",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0",
    b"<!DOCTYPE html><html><body><h1>404 Not Found</h1></body></html>",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:a6196b\nsize 553432081\n",
    b'name: "VGG"\nlayers {\n  name: "conv1_1"\n}\n',
)
"""What may lie under a model's name by mistake."""


def caffe_models() -> list[bytes]:
    """Return small models: both formats, every way to write shapes and numbers."""
    matrix, cube = np.float32([[1, 2, 3]]), np.ones((2, 1, 2), np.float32)
    return [
        caffe_files.encode(
            [
                Layer("data", 5 if kind == 4 else "Data"),
                Layer("конв", kind, (Blob(matrix, **how), Blob(matrix[0], **how))),
                Layer("fc", kind, (Blob(cube, **how),)),
            ]
        )
        for kind in (4, "Convolution")
        for how in (
            {"shape": "legacy", "diff": True},
            {"shape": "unpacked", "data": "unpacked"},
            {"shape": "packed", "data": "pieces", "double": True},
        )
    ]


# -- bytes ----------------------------------------------------------------

LENGTHS = (0, 1, 127, 128, 2**14, 2**28, 2**31 - 1, 2**32, 2**63, 2**64 - 1)


def _overwrite(chance: random.Random, data: bytearray) -> None:
    data[_place(chance, data)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, *range(256)))


def _length(chance: random.Random, data: bytearray) -> None:
    place = _place(chance, data)
    varint = caffe_files.varint(chance.choice(LENGTHS))
    data[place : place + chance.choice((1, len(varint)))] = varint


def _insert(chance: random.Random, data: bytearray) -> None:
    place = _place(chance, data)
    data[place:place] = chance.randbytes(chance.randint(1, 12))


def _delete(chance: random.Random, data: bytearray) -> None:
    place = _place(chance, data)
    del data[place : place + chance.randint(1, 12)]


def _double(chance: random.Random, data: bytearray) -> None:
    place = _place(chance, data)
    data[place:place] = data[place : place + chance.randint(1, 200)]


def _cut(chance: random.Random, data: bytearray) -> None:
    del data[_place(chance, data) :]


CHANGES: tuple[Callable[[random.Random, bytearray], None], ...] = (
    *(_overwrite, _overwrite, _length, _insert, _delete, _double, _cut),
)


def _place(chance: random.Random, data: bytearray) -> int:
    return chance.randrange(len(data))


def mutated(chance: random.Random, valid: bytes) -> bytes:
    """Return a file with one to four things changed."""
    data = bytearray(valid)
    for _ in range(chance.choice((1, 1, 2, 4))):
        if data:
            chance.choice(CHANGES)(chance, data)
    return bytes(data)


def caffe_input(number: int, valid: list[bytes]) -> bytes:
    """Return input number so-and-so for the Caffe reader, always the same."""
    chance = random.Random(number)
    if chance.random() < 0.05:
        return chance.randbytes(chance.randint(0, 200))
    return mutated(chance, chance.choice((*valid, *valid, *valid, *OTHERS)))


# -- stores ---------------------------------------------------------------


def write_store(path: Path) -> None:
    """Write the store that the inputs are made from."""
    arrays = {
        "a/b": {"W": np.ones((2, 3), np.float32), "b": np.ones(2, np.float32)},
        "conv": {"W": np.ones((2, 3, 3, 3), np.float32)},
    }
    store.save(Weights("tiny", "seeded", arrays, "a recipe", "ab" * 32, 3), path)


VALUES = (
    *(0, 1, -1, 2**63 - 1, 0.5, np.bytes_(b"\xff"), np.bytes_(b"x" * 3000), "text"),
    *(np.zeros(3), np.zeros(0, "f4"), h5py.Empty("f4"), np.float32(1)),
)
"""Values of every kind for an attribute."""

SHAPES = ((), (0,), (2, 3), (10**13,), (2**40, 2**20), (1,) * 32)


def store_input(number: int, path: Path) -> None:
    """Turn a good store into input number so-and-so.

    Half of the inputs are changed through HDF5 itself, so that its checksums are
    right and what they protect is wrong.
    """
    chance = random.Random(number)
    if chance.random() < 0.5:
        with h5py.File(path, "a", libver=("v110", "v110")) as file:
            for _ in range(chance.choice((1, 2))):
                _change(chance, file)
    if chance.random() < 0.6:
        path.write_bytes(mutated(chance, path.read_bytes()))


def _change(chance: random.Random, file: h5py.File) -> None:
    items: list[h5py.Group | h5py.Dataset] = [file]
    file.visititems(lambda _, item: items.append(item))
    item = chance.choice(items)
    attributes, value = sorted(item.attrs), chance.choice(VALUES)
    name = chance.choice(("a", "W", "x\n\x1b", "é" * 20))
    match chance.randrange(5):
        case 0 if attributes:
            item.attrs[chance.choice(attributes)] = value
        case 1 if attributes:
            del item.attrs[chance.choice(attributes)]
        case 2 if item.name != "/":
            del file[item.name]
        case 3 if isinstance(item, h5py.Group) and name not in item:
            dtype = chance.choice(("f4", ">f4", "f8", "i2", "S3"))
            item.create_dataset(name, chance.choice(SHAPES), dtype)
        case 4 if isinstance(item, h5py.Group) and name not in item:
            links = (
                h5py.SoftLink("/nowhere"),
                h5py.SoftLink(f"{item.name}/{name}"),
                h5py.ExternalLink("no.h5", "/"),
                file,
            )
            item[name] = chance.choice(links)
