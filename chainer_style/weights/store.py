"""The package's own file of weights, in HDF5.

One group per layer, named like the layer with every character but letters,
digits, ``_``, ``-`` and ``~`` percent-encoded, so that a slash
(``inception_3a/1x1``) stays within its name. In each group the parameters ``W``
and ``b``: float32, little-endian, contiguous, each with its CRC-32 as an
attribute. The attributes of the root say what the numbers are and where they
come from.

Damage is found, not read: the numbers have their CRC-32, and HDF5 adds checksums
to everything else in its format of version 1.10. In older formats, and in texts
of variable length, one wrong byte can crash the HDF5 library.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
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
    path = existing_file(path)
    with _opened(path) as file:
        _check_format(file, path)
        held = _text(file, "network", path)
        if network is not None and held != network.name:
            title = NETWORKS[held].title if held in NETWORKS else held
            raise UserError(
                f"{path} holds the weights of {title}, not of {network.title}"
            )
        weights = _read(file, path, network)
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
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file; whatever h5py finds wrong becomes a `UserError`."""
    try:
        if not h5py.is_hdf5(path):
            raise UserError(f"{path} is not an HDF5 file; convert a .caffemodel first")
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


def _check_format(file: h5py.File, path: Path) -> None:
    if "format" not in file.attrs or file.attrs["format"] != FORMAT.encode():
        raise UserError(
            f"{path} is an HDF5 file of another kind (of Keras, perhaps), not "
            f"{FORMAT}; convert a .caffemodel instead"
        )
    version = _integer(file, "version", path)
    if version != VERSION:
        raise UserError(
            f"{path} has version {version} of the format, and this chainer-style "
            f"reads version {VERSION}; install a newer chainer-style"
        )
    for key, expected in CONVENTIONS.items():
        if (found := _text(file, key, path)) != expected:
            raise _damaged(path, f"its {key} should be {expected!r}, not {found!r}")


def _read(file: h5py.File, path: Path, network: Network | None) -> Weights:
    kind = _text(file, "kind", path)
    if kind not in LABELS:
        raise _damaged(path, f"unknown kind of weights {kind!r}")
    groups = set(file)
    if network is not None:
        groups &= {_group_name(layer) for layer in network.parameter_shapes()}
    size = path.stat().st_size
    return Weights(
        network=_text(file, "network", path),
        kind=kind,
        arrays={
            unquote(group): _parameters(file[group], size, path)
            for group in sorted(groups)
        },
        source=_text(file, "source", path),
        sha256=_text(file, "sha256", path) if "sha256" in file.attrs else None,
        seed=_integer(file, "seed", path) if "seed" in file.attrs else None,
    )


def _parameters(group: Any, size: int, path: Path) -> dict[str, Array]:
    """Read the parameters of a layer; `size` bounds what the file can hold."""
    if not isinstance(group, h5py.Group):
        raise _damaged(path, f"{group.name} is not a layer")
    arrays = {}
    for key in group:
        dataset = group[key]
        if not isinstance(dataset, h5py.Dataset) or dataset.dtype != DTYPE:
            raise _damaged(path, f"{dataset.name} is not an array of float32")
        if dataset.nbytes > size:
            raise _damaged(path, f"{dataset.name} is larger than the whole file")
        values = np.asarray(dataset[...], DTYPE)
        if zlib.crc32(values.data) != _integer(dataset, "crc32", path):
            raise _damaged(path, f"the checksum of {dataset.name} differs")
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
