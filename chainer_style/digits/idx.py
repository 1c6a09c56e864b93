"""Files of MNIST's format, idx: unsigned bytes in an array, gzip'd or not.

Two zero bytes, one for the type of the elements, one for the number of axes; each
axis' length, big-endian in four bytes; the elements, the last axis fastest. Source:
http://yann.lecun.com/exdb/mnist/, "the IDX file format".
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from chainer_style.errors import UserError

Bytes = npt.NDArray[np.uint8]

UBYTE = 0x08
TYPES = {
    UBYTE: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "16-bit integers",
    0x0C: "32-bit integers",
    0x0D: "32-bit floats",
    0x0E: "64-bit floats",
}
"""Kinds of elements by their codes."""

GZIP = b"\x1f\x8b"

LARGEST = 1 << 30
"""Most elements that a file may announce: twenty times those of MNIST."""


def read(path: Path, axes: int) -> Bytes:
    """Read a file.

    Parameters
    ----------
    path
        The file; whether it is gzip'd is told by its content.
    axes
        How many the array must have: 1 for labels, 3 for images.

    Returns
    -------
    numpy.ndarray
        Of dtype uint8.

    Raises
    ------
    UserError
        If it cannot be read, or is not exactly such a file.
    """
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == GZIP
            file.seek(0)
            if not is_packed:
                return parse(file, axes, str(path))
            with gzip.GzipFile(fileobj=file) as unpacked:
                return parse(unpacked, axes, str(path))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is damaged: {error}; fetch it anew") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def parse(file: BinaryIO | gzip.GzipFile, axes: int, name: str) -> Bytes:
    """Read an array from an open file, to its very end.

    Parameters
    ----------
    file, axes
        As for `read`, unpacked.
    name
        What to call the file in errors.

    Raises
    ------
    UserError
        If it is not exactly such a file.
    """
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES:
        raise UserError(f"{name} is not an idx file: it begins with {head.hex(' ')!r}")
    if head[2] != UBYTE:
        raise UserError(f"{name} holds {TYPES[head[2]]}, not {TYPES[UBYTE]}")
    if head[3] != axes:
        raise UserError(f"{name} has {head[3]} axes, not {axes}")
    lengths = file.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise UserError(f"{name} ends within its header; fetch it anew")
    shape = struct.unpack(f">{axes}I", lengths)
    size = math.prod(shape)
    if not 0 < size <= LARGEST:
        raise UserError(f"{name} announces {_times(shape)} elements; is it damaged?")
    content = file.read(size)
    if len(content) < size:
        raise UserError(
            f"{name} ends after {len(content):,} of {size:,} elements; fetch it anew"
        )
    if file.read(1):
        raise UserError(f"{name} goes on behind its {size:,} elements; fetch it anew")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
