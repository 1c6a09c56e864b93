"""The folder of MNIST's files, and what of them lies there."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.digits import idx, published
from chainer_style.digits.published import HALVES, File, Half
from chainer_style.errors import UserError
from chainer_style.files import named_folder
from chainer_style.weights.folder import models, shown

VARIABLE = "CHAINER_STYLE_MNIST"
"""Environment variable that names another folder."""

CLASSES = 10

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Digits:
    """Some digits.

    Attributes
    ----------
    images
        Shape (N, 1, height, width), float32, 0 (paper) to 1 (ink).
    labels
        Shape (N,), int32, 0 to 9.
    """

    images: Floats
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: npt.NDArray[np.intp]) -> Digits:
        """Return some of them, in that order."""
        return Digits(self.images[which], self.labels[which])


@dataclass(frozen=True)
class FileFacts:
    """What a record says of a file.

    Attributes
    ----------
    name
        As it lies there.
    md5
        Of the unpacked content.
    is_published
        Whether that is the checksum that MNIST's file has.
    """

    name: str
    md5: str
    is_published: bool

    def as_record(self) -> dict[str, Any]:
        """Return it for a record."""
        return asdict(self)


def home() -> Path:
    """Return the folder of MNIST's files, whether it exists or not.

    ``$CHAINER_STYLE_MNIST`` if it is set, else ``mnist`` in the folder of trained
    weights.
    """
    return named_folder(VARIABLE) or models() / "mnist"


def path_of(file: File, folder: Path) -> Path | None:
    """Return where a file lies, packed or not, if it does.

    Some programs unpack ``train-images-idx3-ubyte`` as ``train-images.idx3-ubyte``.
    """
    names = [file.unpacked, file.unpacked.replace("-idx", ".idx")]
    paths = [folder / name for name in (*names, *(f"{name}.gz" for name in names))]
    return next((path for path in paths if path.is_file()), None)


def halves(folder: Path) -> tuple[Half, ...]:
    """Return the halves whose images and labels both lie in a folder."""
    return tuple(
        half
        for half in HALVES
        if all(path_of(file, folder) for file in published.of(half))
    )


def read(half: Half, folder: Path) -> tuple[Digits, list[FileFacts]]:
    """Read the digits of one half.

    Raises
    ------
    UserError
        If a file is missing, damaged, or does not fit the other.
    """
    images, labels = (_array(file, folder) for file in published.of(half))
    _check(images, labels)
    digits = Digits(
        images.array[:, np.newaxis].astype(np.float32) / np.float32(255),
        labels.array.astype(np.int32),
    )
    return digits, [images.facts, labels.facts]


@dataclass(frozen=True)
class _Found:
    path: Path
    array: idx.Bytes
    facts: FileFacts


def _array(file: File, folder: Path) -> _Found:
    path = path_of(file, folder)
    if path is None:
        raise UserError(f"there is no {file.unpacked} in {shown(folder)}, nor packed")
    array = idx.read(path, file.axes)
    md5 = _md5(array)
    return _Found(path, array, FileFacts(path.name, md5, md5 == file.content))


def _md5(array: idx.Bytes) -> str:
    """Return the checksum of a file of that content, which its header follows from."""
    head = struct.pack(f">4B{array.ndim}I", 0, 0, idx.UBYTE, array.ndim, *array.shape)
    return hashlib.md5(head + array.tobytes(), usedforsecurity=False).hexdigest()


def _check(images: _Found, labels: _Found) -> None:
    if len(images.array) != len(labels.array):
        raise UserError(
            f"{images.path} has {len(images.array):,} images, {labels.path} "
            f"{len(labels.array):,} labels; they are not of the same digits"
        )
    if (most := int(labels.array.max())) >= CLASSES:
        raise UserError(f"{labels.path} has a label {most}; digits are 0 to 9")
