"""Files of MNIST's format with digits that a generator draws, for tests."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

SEGMENTS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc")
SEGMENTS += ("abcdefg", "abcdfg")
"""Which strokes of a pocket calculator make 0 to 9."""


def packed(array: np.ndarray, code: int = 8) -> bytes:
    """Return an array as the bytes of a file."""
    head = bytes([0, 0, code, array.ndim])
    lengths = b"".join(struct.pack(">I", length) for length in array.shape)
    return head + lengths + array.tobytes()


def draw(count: int, side: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, side, side) and labels (N,), both uint8: shifted and noisy."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, count, np.uint8)
    images = random.integers(0, 60, (count, side, side), np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = random.integers(0, side - 9, 2)
        digit = image[top : top + 9, left : left + 6]
        strokes = {
            "a": (0, slice(None)),
            "g": (4, slice(None)),
            "d": (8, slice(None)),
            "f": (slice(0, 5), 0),
            "b": (slice(0, 5), 5),
            "e": (slice(4, 9), 0),
            "c": (slice(4, 9), 5),
        }
        for segment in SEGMENTS[label]:
            digit[strokes[segment]] = random.integers(160, 256)
    return images, labels


def write(
    folder: Path,
    *,
    train: int = 0,
    t10k: int = 0,
    side: int = 12,
    pack: bool = True,
) -> Path:
    """Write so many digits of either half into a folder; none without a number."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (half, count) in enumerate((("train", train), ("t10k", t10k))):
        if not count:
            continue
        images, labels = draw(count, side, seed)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = packed(array)
            path = folder / f"{half}-{name}-ubyte{'.gz' if pack else ''}"
            path.write_bytes(gzip.compress(content, 1) if pack else content)
    return folder
