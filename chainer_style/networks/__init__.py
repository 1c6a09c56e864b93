"""Networks as declarative graphs: one file each, everything derived from them."""

from __future__ import annotations

from chainer_style.errors import UserError
from chainer_style.networks.alexnet import ALEXNET
from chainer_style.networks.googlenet import GOOGLENET
from chainer_style.networks.graph import (
    INPUT,
    Network,
    ParameterShapes,
    ReceptiveField,
    Tap,
)
from chainer_style.networks.illust2vec import ILLUST2VEC
from chainer_style.networks.nin import NIN
from chainer_style.networks.nodes import Shape
from chainer_style.networks.vgg import VGG16, VGG19

__all__ = [
    "ALEXNET",
    "GOOGLENET",
    "ILLUST2VEC",
    "INPUT",
    "NETWORKS",
    "NIN",
    "VGG16",
    "VGG19",
    "Network",
    "ParameterShapes",
    "ReceptiveField",
    "Shape",
    "Tap",
    "get",
]

NETWORKS = {
    network.name: network
    for network in (VGG16, NIN, VGG19, GOOGLENET, ILLUST2VEC, ALEXNET)
}
"""Every network of the package, by name."""

ALIASES = {"vgg": "vgg16", "i2v": "illust2vec"}
"""What the 2016 script's ``--model`` called them."""


def get(name: str) -> Network:
    """Return the network of that name.

    Parameters
    ----------
    name
        A key of `NETWORKS`, or the 2016 script's name for it (``vgg``, ``i2v``).

    Raises
    ------
    UserError
        If there is none; the message lists those there are.
    """
    network = NETWORKS.get(ALIASES.get(name.lower(), name.lower()))
    if network is None:
        known = ", ".join(sorted({*NETWORKS, *ALIASES}))
        raise UserError(f"unknown model {name!r}; choose one of: {known}")
    return network
