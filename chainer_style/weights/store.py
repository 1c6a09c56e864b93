"""The package's own file of weights, in HDF5.

One group per layer, named like the layer with every character but letters,
digits, ``_``, ``-`` and ``~`` percent-encoded, so that a slash
(``inception_3a/1x1``) stays within its name. In each group the parameters ``W``
and ``b``: float32, little-endian, contiguous, each with its CRC-32 as an
attribute. The attributes of the root say what the numbers are and where they
come from.

Damage is found, not read: the numbers have their CRC-32, and HDF5 adds checksums
to everything else in its format of version 1.10. In older formats, and in texts
of variable length, one wrong byte can crash the HDF5 library; files in an older
format are therefore refused before it sees them.

A file is opened lazily: its attributes are read at once, a layer when it is asked
for.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import h5py
import numpy as np
import numpy.typing as npt

from chainer_style import __version__
from chainer_style.errors import UserError
from chainer_style.files import replacing
from chainer_style.networks import NETWORKS, Network
from chainer_style.weights.collection import LABELS, Weights
from chainer_style.weights.disk import existing_file

FORMAT = "chainer-style weights"
VERSION = 1

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SUPERBLOCKS = (2, 3)
"""Versions of the superblock (the byte behind the signature) with a checksum.

Source: HDF5 File Format Specification 3.0, section II.A.
"""

CONVENTIONS = {
    "units": "network input: 0..255 minus mean",
    "channel_order": "BGR",
    "layout": "OIHW",
}
"""What the numbers mean: attributes that are the same in every file."""

Array = npt.NDArray[np.float32]

DTYPE = np.dtype("<f4")


def save(weights: Weights, path: str | os.PathLike[str]) -> None:
    """Write weights to a store, whole or not at all.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    with replacing(Path(path)) as temporary:
        try:
            _write(weights, temporary)
        except (OSError, RuntimeError) as error:  # the latter if closing fails
            raise OSError(_one_line(error)) from error


@dataclass(frozen=True)
class Store:
    """An open store.

    Attributes
    ----------
    path
        The file.
    about
        What its attributes say of the weights; without arrays.
    layers
        The names of its layers, sorted.
    """

    path: Path
    about: Weights
    layers: tuple[str, ...]
    _file: Any = field(repr=False)

    def read(self, layer: str) -> dict[str, Array]:
        """Read the parameters of a layer, checksums compared.

        Raises
        ------
        UserError
            If they are damaged.
        """
        return _parameters(self._file[_group_name(layer)], self.path)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Store]:
    """Open a store for as long as the block lasts; no array is read yet.

    Raises
    ------
    UserError
        If the file cannot be read, is damaged, or is something else; if its
        format is newer than this package. Also for what HDF5 finds damaged while
        the block reads.
    """
    path = existing_file(path)
    with _hdf5(path) as file:
        _check_format(file, path)
        layers = tuple(sorted(unquote(group) for group in file))
        yield Store(path, _about(file, path), layers, file)


def load(path: str | os.PathLike[str], network: Network | None = None) -> Weights:
    """Read weights from a store.

    Parameters
    ----------
    path
        The file.
    network
        What they are for: only its layers are read. Everything if None.

    Raises
    ------
    UserError
        If the file cannot be read, is damaged, or is something else; if its
        format is newer than this package; if it holds the weights of another
        network, or not all that this one needs.
    """
    with opened(path) as file:
        held, needed = file.about.network, set(file.layers)
        if network is not None:
            if held != network.name:
                title = NETWORKS[held].title if held in NETWORKS else repr(held)
                raise UserError(
                    f"{path} holds the weights of {title}, not of {network.title}"
                )
            needed &= set(network.parameter_shapes())
        arrays, left = {}, file.path.stat().st_size
        for layer in sorted(needed):
            arrays[layer] = file.read(layer)
            left -= sum(array.nbytes for array in arrays[layer].values())
            if left < 0:
                raise _damaged(file.path, "its layers are larger than the whole file")
    weights = replace(file.about, arrays=arrays)
    return weights if network is None else weights.for_network(network)


# -- writing --------------------------------------------------------------


def _write(weights: Weights, path: Path) -> None:
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        for key, value in _attributes(weights).items():
            if isinstance(value, str):
                text = value.encode()
                dtype = h5py.string_dtype(length=max(len(text), 1))
                file.attrs.create(key, text, dtype=dtype)
            else:
                file.attrs[key] = value
        for layer, parameters in weights.arrays.items():
            group = file.create_group(_group_name(layer))
            for key, array in parameters.items():
                values = np.asarray(array, DTYPE, order="C")
                dataset = group.create_dataset(key, data=values)
                dataset.attrs["crc32"] = zlib.crc32(values.data)


def _attributes(weights: Weights) -> dict[str, str | int]:
    """Attributes of the root; what there is not is left out."""
    attributes = {
        "format": FORMAT,
        "version": VERSION,
        **CONVENTIONS,
        "network": weights.network,
        "kind": weights.kind,
        "source": weights.source,
        "sha256": weights.sha256,
        "seed": weights.seed,
        "package_version": __version__,
    }
    return {key: value for key, value in attributes.items() if value is not None}


def _group_name(layer: str) -> str:
    # A lone dot means the group itself to HDF5.
    return quote(layer, safe="").replace(".", "%2E")


# -- reading --------------------------------------------------------------


@contextmanager
def _hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file; whatever h5py finds wrong becomes a `UserError`."""
    try:
        with path.open("rb") as raw:
            start = raw.read(len(SIGNATURE) + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    if start[:-1] != SIGNATURE:
        raise UserError(f"{path} is not an HDF5 file; convert a .caffemodel first")
    if start[-1] not in SUPERBLOCKS:
        raise _another_kind(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except UserError:
        raise
    except (OSError, RuntimeError, ValueError, TypeError, LookupError) as error:
        raise _damaged(path, _one_line(error)) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).strip("'\"").split())


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(f"{path} is damaged: {reason}; make or fetch it again")


def _another_kind(path: Path) -> UserError:
    return UserError(
        f"{path} is an HDF5 file of another kind (of Keras, perhaps), not "
        f"{FORMAT}; chainer-style convert turns Keras' VGG weights into them"
    )


def _check_format(file: h5py.File, path: Path) -> None:
    if "format" not in file.attrs or file.attrs["format"] != FORMAT.encode():
        raise _another_kind(path)
    version = _integer(file, "version", path)
    if version > VERSION:
        raise UserError(
            f"{path} has version {version} of the format, and this chainer-style "
            f"reads version {VERSION}; install a newer chainer-style"
        )
    if version < 1:
        raise _damaged(path, f"there never was a version {version} of the format")
    for key, expected in CONVENTIONS.items():
        if (found := _text(file, key, path)) != expected:
            raise _damaged(path, f"its {key} should be {expected!r}, not {found!r}")


def _about(file: h5py.File, path: Path) -> Weights:
    kind = _text(file, "kind", path)
    if kind not in LABELS:
        raise _damaged(path, f"unknown kind of weights {kind!r}")
    return Weights(
        network=_text(file, "network", path),
        kind=kind,
        arrays={},
        source=_text(file, "source", path),
        sha256=_text(file, "sha256", path) if "sha256" in file.attrs else None,
        seed=_integer(file, "seed", path) if "seed" in file.attrs else None,
    )


def _parameters(group: Any, path: Path) -> dict[str, Array]:
    """Read the parameters of a layer; none can be larger than the whole file."""
    if not isinstance(group, h5py.Group):
        raise _damaged(path, f"{group.name!r} is not a layer")
    arrays = {}
    for key in group:
        dataset = group[key]
        if not isinstance(dataset, h5py.Dataset) or dataset.dtype != DTYPE:
            raise _damaged(path, f"{dataset.name!r} is not an array of float32")
        if dataset.nbytes > path.stat().st_size:
            raise _damaged(path, f"{dataset.name!r} is larger than the whole file")
        values = np.asarray(dataset[...], DTYPE)
        if zlib.crc32(values.data) != _integer(dataset, "crc32", path):
            raise _damaged(path, f"the checksum of {dataset.name!r} differs")
        arrays[key] = values
    return arrays


def _text(file: h5py.File, key: str, path: Path) -> str:
    value = file.attrs.get(key)
    if not isinstance(value, bytes):
        raise _damaged(path, f"its attribute {key} is missing or not a text")
    return value.decode()


def _integer(item: h5py.File | h5py.Dataset, key: str, path: Path) -> int:
    value = item.attrs.get(key)
    if not isinstance(value, np.integer):
        raise _damaged(path, f"its attribute {key} is missing or not a number")
    return int(value)
