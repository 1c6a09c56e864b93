"""Reader of Caffe's binary models (``.caffemodel``).

The file is memory-mapped. Opening it goes through the list of its layers and no
further; blobs become NumPy views of the file when they are asked for. Where
Caffe's own reading decides how a file is to be understood, it is followed:
BVLC/caffe 037b724, ``caffe.proto``, ``blob.cpp``, ``net.cpp`` and
``upgrade_proto.cpp``.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainer_style.errors import UserError
from chainer_style.networks import Network
from chainer_style.weights.caffe_types import V1_TYPES
from chainer_style.weights.collection import Weights
from chainer_style.weights.disk import sha256
from chainer_style.weights.identify import check
from chainer_style.weights.wire import Field, Message, Wire, map_file

Array = npt.NDArray[Any]

FLOAT = np.dtype("<f4")
DOUBLE = np.dtype("<f8")

MAX_AXES = 32
"""Most axes of a blob (``kMaxBlobAxes``)."""

MAX_ELEMENTS = (1 << 31) - 1
"""Most elements of a blob (``INT_MAX``)."""

IMPOSTORS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x89PNG\r\n\x1a\n": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"version https://git-lfs": "a pointer of Git LFS instead of the file",
    b"<!doctype html": "an HTML page, of a server's error perhaps,",
    b"<html": "an HTML page, of a server's error perhaps,",
    b"<?xml": "an XML page, of a server's error perhaps,",
}
"""What other files begin with, and what to call them."""


@dataclass(frozen=True)
class CaffeLayer:
    """A layer of a Caffe model.

    Attributes
    ----------
    name
        As in the file; it may hold slashes and need not be unique.
    type
        By its name in today's Caffe, such as ``Convolution``, also where the
        file has one of the old numbers; ``type 99`` for a number that Caffe
        does not know, and empty if the file has none.
    encoded
        The blobs as they lie in the file.
    """

    name: str
    type: str
    encoded: tuple[Message, ...] = field(repr=False)

    @functools.cached_property
    def blobs(self) -> tuple[Array, ...]:
        """The layer's arrays, read-only, float32 or float64 as in the file.

        Views of the file where their elements are stored in one piece. Old
        files give all of them four axes.

        Raises
        ------
        UserError
            If a blob is damaged, or its elements do not fill its shape.
        """
        return tuple(
            _blob(message, f"layer {self.name!r}, blob {i},")
            for i, message in enumerate(self.encoded)
        )


@dataclass(frozen=True)
class CaffeModel:
    """A Caffe model: the parts of the file that concern weights.

    Attributes
    ----------
    name
        The network's name in the file.
    layers
        All of its layers in order, with and without blobs.
    format
        ``V1`` if they are in ``layers``, as before 2015; ``V2`` if in ``layer``.
    """

    name: str
    layers: tuple[CaffeLayer, ...]
    format: Literal["V1", "V2"]

    def arrays(self) -> dict[str, dict[str, Array]]:
        """Return the parameters: layer name -> ``W``/``b`` -> array.

        Layers without blobs are left out, and so is what comes after the first
        two blobs, which convolutions and fully connected layers do not have.
        Of several layers with the same name the last counts: Caffe copies one
        after the other into the layer of that name.

        Raises
        ------
        UserError
            If a blob is damaged, or its elements do not fill its shape.
        """
        return {
            layer.name: dict(zip(("W", "b"), layer.blobs, strict=False))
            for layer in self.layers
            if layer.encoded
        }


def read(path: str | os.PathLike[str]) -> CaffeModel:
    """Open a ``.caffemodel``.

    Layers are read from ``layers`` (V1, before 2015) or ``layer`` (V2). If
    there are both, V1 counts, as in Caffe.

    Raises
    ------
    UserError
        If the file cannot be read, is damaged, or is something else.
    """
    file = map_file(path)
    _refuse_impostors(file)
    name, v1, v2 = "", [], []
    for part in file:
        match part:
            case Field(1, Wire.BYTES):
                name = file.text(part)
            case Field(2, Wire.BYTES):
                v1.append(_v1_layer(file.message(part)))
            case Field(100, Wire.BYTES):
                v2.append(_v2_layer(file.message(part)))
    if not v1 and not v2:
        raise file.error(file.end, "no layer up to its end")
    return CaffeModel(name, tuple(v1 or v2), "V1" if v1 else "V2")


def _refuse_impostors(file: Message) -> None:
    """Say so if the file is one of the things that are often found in its place."""
    begin = bytes(file.data[:64]).lower()
    for signature, what in IMPOSTORS.items():
        if begin.startswith(signature.lower()):
            raise file.error(0, f"{what} begins")


def load(path: str | os.PathLike[str], network: Network) -> Weights:
    """Read the trained weights of a network from a ``.caffemodel``.

    The arrays are copies: nothing that happens to the file later, such as a new
    download in its place, can reach them.

    Parameters
    ----------
    path
        The file.
    network
        What they are for. Layers that it does not need are checked to be
        whole, but not kept.

    Raises
    ------
    UserError
        If the file cannot be read or is damaged, or if it does not hold the
        network's layers in the network's shapes, or is another network's.
    """
    path = Path(path)
    model = read(path)
    check(model, network, path.name)
    read_in_place = Weights(network.name, "trained", model.arrays(), path.name)
    needed = read_in_place.for_network(network).arrays
    arrays = {
        layer: {key: np.array(array) for key, array in parameters.items()}
        for layer, parameters in needed.items()
    }
    return replace(read_in_place, arrays=arrays, sha256=sha256(path))


def _v1_layer(message: Message) -> CaffeLayer:
    name, kind, blobs = "", 0, []
    for part in message:
        match part:
            case Field(1, Wire.BYTES):
                raise UserError(
                    f"{message.name} was written by a Caffe of 2013 (V0); upgrade "
                    "it with Caffe's tool upgrade_net_proto_binary"
                )
            case Field(4, Wire.BYTES):
                name = message.text(part)
            case Field(5, Wire.VARINT):
                kind = part.value
            case Field(6, Wire.BYTES):
                blobs.append(message.message(part))
    return CaffeLayer(name, V1_TYPES.get(kind, f"type {kind}"), tuple(blobs))


def _v2_layer(message: Message) -> CaffeLayer:
    name, kind, blobs = "", "", []
    for part in message:
        match part:
            case Field(1, Wire.BYTES):
                name = message.text(part)
            case Field(2, Wire.BYTES):
                kind = message.text(part)
            case Field(7, Wire.BYTES):
                blobs.append(message.message(part))
    return CaffeLayer(name, kind, tuple(blobs))


def _blob(message: Message, label: str) -> Array:
    """Decode a BlobProto; its gradients (6 and 9) are passed over."""
    extents: dict[int, int] = {}
    dims: list[int] = []
    floats: list[Array] = []
    doubles: list[Array] = []
    for part in message:
        match part:
            case Field(1 | 2 | 3 | 4, Wire.VARINT):
                extents[part.number] = part.value
            case Field(5, Wire.BYTES | Wire.FIXED32):
                floats.append(message.array(part, FLOAT))
            case Field(7, Wire.BYTES):
                # No more of them than show that there are too many.
                dims += islice(_dims(message.message(part)), MAX_AXES + 1)
            case Field(8, Wire.BYTES | Wire.FIXED64):
                doubles.append(message.array(part, DOUBLE))
        if len(dims) > MAX_AXES:
            raise message.error(part.start, f"{label} has over {MAX_AXES} axes")
    if extents:  # num, channels, height, width: they go before a BlobShape
        dims = [extents.get(axis, 0) for axis in (1, 2, 3, 4)]
    values = _joined(doubles if any(map(len, doubles)) else floats)
    text = "×".join(map(str, dims)) or "scalar"
    if math.prod(max(n, 1) for n in dims) > MAX_ELEMENTS:
        raise message.error(message.start, f"{label} has the impossible shape {text}")
    if math.prod(dims) != len(values):
        raise message.error(
            message.start,
            f"{label} of shape {text} takes {math.prod(dims)} values and has "
            f"{len(values)}",
        )
    return values.reshape(dims)


def _dims(shape: Message) -> Iterator[int]:
    """Yield the extents of a BlobShape."""
    for part in shape:
        match part:
            case Field(1, Wire.VARINT | Wire.BYTES):
                yield from shape.varints(part)


def _joined(pieces: list[Array]) -> Array:
    """Return the elements in one array, a view if they lie in one piece."""
    if len(pieces) == 1:
        return pieces[0]
    joined = np.concatenate(pieces or [np.empty(0, FLOAT)])
    joined.setflags(write=False)
    return joined
