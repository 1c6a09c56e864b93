"""From a ``.caffemodel`` to the package's own store."""

from __future__ import annotations

import os
from pathlib import Path

from chainer_style.errors import UserError
from chainer_style.networks import NETWORKS, Network
from chainer_style.weights import caffe, store
from chainer_style.weights.caffe import CaffeModel
from chainer_style.weights.collection import Arrays, Weights, compare, printable
from chainer_style.weights.disk import existing_file


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    network: Network | None = None,
    *,
    whole: bool = False,
) -> Weights:
    """Write the weights of a ``.caffemodel`` to a store, and return them.

    Parameters
    ----------
    source
        The ``.caffemodel``.
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
    if network is None:
        network = recognise(caffe.read(source), str(source))
    weights = caffe.load(source, network if whole else network.upto_taps())
    store.save(weights, target)
    return weights


def recognise(model: CaffeModel, name: str) -> Network:
    """Find the network that a Caffe model is one of, by names and shapes.

    The part up to the last tap has to be there, and no convolution that the
    network does not have: VGG-19 begins with layers that all have the names and
    shapes of VGG-16's.

    Parameters
    ----------
    model
        The Caffe model.
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


def closest(model: CaffeModel) -> tuple[Network, list[str]]:
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
