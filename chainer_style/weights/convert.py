"""From Caffe's or Keras' file to the package's own store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from chainer_style.errors import UserError
from chainer_style.networks import NETWORKS, Network
from chainer_style.weights import caffe, keras, registry, store
from chainer_style.weights.collection import Arrays, Weights, compare, printable
from chainer_style.weights.disk import existing_file


class Layer(Protocol):
    """What is asked of a model's layer."""

    @property
    def name(self) -> str:
        """Its name, as Caffe's file has it."""

    @property
    def type(self) -> str:
        """Its type, by Caffe's name."""


class Model(Protocol):
    """What is asked of a model that was read from a file."""

    @property
    def layers(self) -> Sequence[Layer]:
        """Its layers."""

    def arrays(self) -> Arrays:
        """Return its parameters."""


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    network: Network | None = None,
    *,
    whole: bool = False,
) -> Weights:
    """Write the weights of another program's file to a store, and return them.

    Parameters
    ----------
    source
        The ``.caffemodel``, or Keras' file of VGG-16 or VGG-19 without its top.
    target
        The store to write.
    network
        The network that the source holds. If None, it is recognised.
    whole
        Keep every layer; otherwise the part up to the last tap, which is all
        that a style transfer uses: 31 MB of VGG-16's 553.

    Raises
    ------
    UserError
        If the source cannot be read or holds other layers, or the target
        cannot be written.
    """
    source, target = existing_file(source), Path(target)
    if target.exists() and target.samefile(source):
        raise UserError(f"{target} is the file to convert; choose another to write")
    reader = keras if is_hdf5(source) else caffe
    if network is None:
        network = recognise(reader.read(source), str(source))
    weights: Weights = reader.load(source, network if whole else network.upto_taps())
    store.save(weights, target)
    return weights


def default_target(source: Path) -> Path:
    """Return where to write what a source is converted to, unless told otherwise.

    The source's name with ``.h5``; where it has that already, the network's name.
    """
    if source.suffix != ".h5":
        return source.with_suffix(".h5")
    original = registry.by_file(source.name)
    return source.with_stem(original.network if original else f"{source.stem}-new")


def is_hdf5(path: Path) -> bool:
    """Return whether a file begins as HDF5 does.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(store.SIGNATURE)) == store.SIGNATURE
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def recognise(model: Model, name: str) -> Network:
    """Find the network that a model is one of, by names and shapes.

    The part up to the last tap has to be there, and no convolution that the
    network does not have: VGG-19 begins with layers that all have the names and
    shapes of VGG-16's.

    Parameters
    ----------
    model
        What was read from the file.
    name
        What to call it in the error message.

    Raises
    ------
    UserError
        If it is none of `chainer_style.networks.NETWORKS`; the message says how
        it differs from the one that comes closest.
    """
    network, found = closest(model)
    if not found:
        return network
    more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
    raise UserError(
        f"{name} is none of the networks {', '.join(sorted(NETWORKS))}; "
        f"{network.title} comes closest, but {'; '.join(found[:3])}{more}"
    )


def closest(model: Model) -> tuple[Network, list[str]]:
    """Return the network that a model is most like, and how it differs from it."""
    arrays = model.arrays()
    convolutions = [
        layer.name
        for layer in model.layers
        if layer.type == "Convolution" and layer.name in arrays
    ]
    differences = {
        network.name: _differences(network, arrays, convolutions)
        for network in NETWORKS.values()
    }
    name = min(differences, key=lambda key: len(differences[key]))
    return NETWORKS[name], differences[name]


def _differences(
    network: Network, arrays: Arrays, convolutions: list[str]
) -> list[str]:
    known = network.parameter_shapes()
    return [
        *compare(network.upto_taps().parameter_shapes(), arrays),
        *(
            f"it has no layer {printable(name)}"
            for name in convolutions
            if name not in known
        ),
    ]
