"""Reader of the VGG networks that Keras converted from Caffe (HDF5).

What the conversion kept and what it changed:

* The channels of the picture stay in the order blue, green, red: Keras turns RGB
  into BGR and subtracts Caffe's mean before these networks (mode ``caffe`` of its
  ``preprocess_input``).
* Filters are stored as (height, width, in, out), and so they are turned back here.
  The files for Theano's kernels (``th_kernels``), which are also mirrored, are not
  read.
* ``conv1_1`` is called ``block1_conv1``, and so on. The fully connected layers are
  not read: they expect another order of the features than Caffe's.

Sources: keras-team/keras 51d7e77, ``keras/src/applications/vgg16.py``; layout of the
file: ``keras/src/legacy/saving/legacy_h5_format.py`` of the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from chainer_style.errors import UserError
from chainer_style.networks import Network
from chainer_style.weights.collection import Weights
from chainer_style.weights.disk import existing_file, sha256
from chainer_style.weights.identify import check

Array = npt.NDArray[np.float32]

CONVOLUTION = re.compile(r"block(\d+)_conv(\d+)")
"""Keras' names of the convolutions."""


class Layer(NamedTuple):
    """A layer of a Keras model: Caffe's name for it, and its type."""

    name: str
    type: str


@dataclass(frozen=True)
class KerasModel:
    """The convolutions of a VGG network in a file of Keras.

    Attributes
    ----------
    layers
        In the file's order.
    parameters
        Layer name, as in Caffe -> ``W``/``b`` -> array of float32 in Caffe's layout.
    """

    layers: tuple[Layer, ...]
    parameters: dict[str, dict[str, Array]]

    def arrays(self) -> dict[str, dict[str, Array]]:
        """Return the parameters."""
        return self.parameters


def read(path: str | os.PathLike[str]) -> KerasModel:
    """Read the convolutions of a VGG network from a file of Keras' weights.

    HDF5's own checksums came later than this format. Compare the file's checksum
    first where there is one: damage can go unnoticed here, or even end the process.

    Raises
    ------
    UserError
        If the file cannot be read or is something else.
    """
    path = existing_file(path)
    try:
        with h5py.File(path, "r") as file:
            parameters = dict(_layers(file, path))
    except (OSError, RuntimeError, ValueError, TypeError, LookupError) as error:
        if isinstance(error, UserError):
            raise
        reason = " ".join(str(error).strip("'\"").split())
        raise UserError(f"cannot read {path} as Keras' weights: {reason}") from error
    if not parameters:
        raise _another_kind(path)
    layers = tuple(Layer(name, "Convolution") for name in parameters)
    return KerasModel(layers, parameters)


def load(path: str | os.PathLike[str], network: Network) -> Weights:
    """Read the trained weights of a network from a file of Keras.

    Raises
    ------
    UserError
        If the file cannot be read, or does not hold the network's layers in the
        network's shapes, or is another network's.
    """
    path = Path(path)
    model = read(path)
    check(model, network, path.name)
    weights = Weights(network.name, "trained", model.arrays(), path.name, sha256(path))
    return weights.for_network(network)


def _layers(file: h5py.File, path: Path) -> Iterator[tuple[str, dict[str, Array]]]:
    if "layer_names" not in file.attrs:
        raise _another_kind(path)
    for layer in map(_text, file.attrs["layer_names"]):
        if not (found := CONVOLUTION.fullmatch(layer)):
            continue
        group = file[layer]
        # By their order, not their names, which changed with Keras' versions.
        arrays = [
            _array(group[_text(name)], path) for name in group.attrs["weight_names"]
        ]
        if [array.ndim for array in arrays] != [4, 1]:
            shapes = ", ".join("×".join(map(str, a.shape)) for a in arrays)
            raise UserError(
                f"{path}: {layer} should hold filters and a bias, not {shapes or '∅'}"
            )
        filters = np.ascontiguousarray(arrays[0].transpose(3, 2, 0, 1))
        yield "conv{}_{}".format(*found.groups()), {"W": filters, "b": arrays[1]}


def _array(dataset: Any, path: Path) -> Array:
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f":
        raise UserError(f"{path}: {dataset.name} is not an array of floats")
    if dataset.nbytes > path.stat().st_size:
        raise UserError(f"{path}: {dataset.name} is larger than the whole file")
    return np.asarray(dataset[...], np.float32)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _another_kind(path: Path) -> UserError:
    return UserError(
        f"{path} is not a file of Keras' VGG weights "
        "(vggNN_weights_tf_dim_ordering_tf_kernels_notop.h5)"
    )
