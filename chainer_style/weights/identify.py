"""Which network the layers of a file are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from chainer_style.errors import UserError
from chainer_style.networks import NETWORKS, Network
from chainer_style.weights.collection import Arrays, compare, printable

SHOWN = 3
"""Most differences that a message tells."""


class Layer(Protocol):
    """What is asked of a layer."""

    @property
    def name(self) -> str:
        """Its name, as in Caffe's file."""

    @property
    def type(self) -> str:
        """Its type, by Caffe's name."""


class Model(Protocol):
    """What is asked of a model that was read from a file."""

    @property
    def layers(self) -> Sequence[Layer]:
        """Its layers, in the order of the file."""

    def arrays(self) -> Arrays:
        """Return its parameters."""


def recognise(model: Model, name: str) -> Network:
    """Find the network that a model is one of.

    By names, shapes and order of the layers up to the last tap. What lies above
    may be there or not, and may be another network's: a classifier for other
    classes does not matter.

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
    network, differences = closest(model)
    if differences:
        raise UserError(
            f"{name} is none of the networks {', '.join(sorted(NETWORKS))}; "
            f"{network.title} comes closest, but {_listed(differences)}"
        )
    return network


def closest(model: Model) -> tuple[Network, list[str]]:
    """Return the network that a model is most like, and how it differs from it."""
    arrays = model.arrays()
    differences = {
        network.name: list(_differences(network, model, arrays))
        for network in NETWORKS.values()
    }
    name = min(differences, key=lambda key: len(differences[key]))
    return NETWORKS[name], differences[name]


def check(model: Model, network: Network, name: str) -> None:
    """Refuse a model that is not the network it is wanted for.

    That all layers are there in their shapes is not enough: VGG-19 has every
    layer of VGG-16, and more in between.

    Parameters
    ----------
    model
        What was read from the file.
    network
        A network, or a part of one.
    name
        What to call the model in the error message.

    Raises
    ------
    UserError
        If a layer of `network` is missing or has another shape; or, where it is
        one of `chainer_style.networks.NETWORKS`, if the model is another one.
    """
    arrays = model.arrays()
    differences = list(compare(network.parameter_shapes(), arrays))
    if network.name in NETWORKS:
        whole = NETWORKS[network.name]
        differences += _contradictions(whole, model, arrays)
    if not differences:
        return
    found, others = closest(model)
    if others or found.name == network.name:
        title = f"does not hold the weights of {network.title}"
    else:
        title = f"is {found.title}, not {network.title}"
    raise UserError(f"{name} {title}: {_listed(differences)}")


def _differences(network: Network, model: Model, arrays: Arrays) -> Iterator[str]:
    """Yield in words how a model differs from a network up to its last tap."""
    yield from compare(network.upto_taps().parameter_shapes(), arrays)
    yield from _contradictions(network, model, arrays)


def _contradictions(network: Network, model: Model, arrays: Arrays) -> Iterator[str]:
    """Yield in words what a model has that the network's lower part cannot have.

    A file lists its layers from below upwards, so convolutions of its own belong
    to the lower part if layers of that part follow.
    """
    part = network.upto_taps()
    known = {node.name for node in network.nodes}
    needed = part.parameter_shapes()
    position = {layer.name: i for i, layer in enumerate(model.layers)}
    last = max((position[layer] for layer in needed if layer in position), default=0)
    for layer in model.layers[:last]:
        convolves = layer.type == "Convolution" and layer.name in arrays
        beside = layer.name.partition("/")[0] in network.unread
        if convolves and layer.name not in known and not beside:
            yield f"it has {printable(layer.name)}, which {network.title} lacks"
    # CaffeNet is AlexNet, pooled before it is normalised.
    for node in part.nodes:
        for below in node.inputs:
            if position.get(below, -1) > position.get(node.name, len(position)):
                yield f"it has {node.name} before {below}"


def _listed(differences: Sequence[str]) -> str:
    left = len(differences) - SHOWN
    more = f" (and {left} more)" if left > 0 else ""
    return "; ".join(differences[:SHOWN]) + more
