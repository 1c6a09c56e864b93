"""An encoder of `.caffemodel` files, written from caffe.proto alone.

It can write everything that protobuf allows a writer to choose: old and new
layers and shapes, packed and unpacked arrays, arrays in several pieces, single
and double precision.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def key(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)


def number(field: int, value: int) -> bytes:
    return key(field, VARINT) + varint(value % 2**64)


def chunk(field: int, payload: bytes | str) -> bytes:
    payload = payload.encode() if isinstance(payload, str) else payload
    return key(field, BYTES) + varint(len(payload)) + payload


@dataclass(frozen=True)
class Blob:
    """An array, and how to write it.

    Attributes
    ----------
    shape
        "legacy" for num/channels/height/width (ones in front), else BlobShape
        with packed or unpacked dimensions.
    data
        Elements packed, one by one, or packed in several pieces.
    double
        As `double_data`.
    diff
        Write gradients too, which readers of weights have to pass over.
    """

    values: np.ndarray
    shape: Literal["legacy", "packed", "unpacked"] = "packed"
    data: Literal["packed", "unpacked", "pieces"] = "packed"
    double: bool = False
    diff: bool = False

    def expected_shape(self) -> tuple[int, ...]:
        ones = (1,) * (4 - self.values.ndim) if self.shape == "legacy" else ()
        return ones + self.values.shape

    def encode(self) -> bytes:
        dtype = np.dtype("<f8" if self.double else "<f4")
        flat = self.values.astype(dtype).ravel()
        out = self._elements(8 if self.double else 5, flat)
        if self.diff:
            out += self._elements(9 if self.double else 6, flat[::-1])
        return out + self._shape()

    def _elements(self, field: int, flat: np.ndarray) -> bytes:
        if self.data == "packed":
            return chunk(field, flat.tobytes())
        if self.data == "pieces":
            half = (len(flat) + 1) // 2
            return chunk(field, flat[:half].tobytes()) + chunk(
                field, flat[half:].tobytes()
            )
        wire, code = (FIXED64, "<d") if self.double else (FIXED32, "<f")
        return b"".join(key(field, wire) + struct.pack(code, x) for x in flat)

    def _shape(self) -> bytes:
        if self.shape == "legacy":
            return b"".join(
                number(axis, extent)
                for axis, extent in enumerate(self.expected_shape(), 1)
            )
        if self.shape == "packed":
            dims = chunk(1, b"".join(map(varint, self.values.shape)))
        else:
            dims = b"".join(number(1, extent) for extent in self.values.shape)
        return chunk(7, dims)


@dataclass(frozen=True)
class Layer:
    """A layer: V1 if its type is a number, V2 if it is a name."""

    name: str
    type: int | str
    blobs: tuple[Blob, ...] = ()

    def encode(self) -> bytes:
        if isinstance(self.type, int):
            layer, name, blob = 2, 4, 6
            kind = number(5, self.type)
        else:
            layer, name, blob = 100, 1, 7
            kind = chunk(2, self.type)
        blobs = b"".join(chunk(blob, b.encode()) for b in self.blobs)
        return chunk(layer, chunk(name, self.name) + kind + blobs)


def encode(layers: list[Layer], name: str = "net") -> bytes:
    return chunk(1, name) + b"".join(layer.encode() for layer in layers)


def model_of(arrays: dict[str, dict[str, np.ndarray]], **how: object) -> bytes:
    """Encode parameters as a V2 model of convolutions and matrices."""
    return encode(
        [
            Layer(
                layer,
                "Convolution" if parameters["W"].ndim == 4 else "InnerProduct",
                tuple(Blob(array, **how) for array in parameters.values()),
            )
            for layer, parameters in arrays.items()
        ]
    )
