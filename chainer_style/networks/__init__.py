"""Networks as declarative graphs: one file each, everything derived from them."""

from __future__ import annotations

from chainer_style.errors import UserError
from chainer_style.networks.graph import (
    INPUT,
    Network,
    ParameterShapes,
    ReceptiveField,
    Tap,
)
from chainer_style.networks.nin import NIN
from chainer_style.networks.nodes import Shape
from chainer_style.networks.vgg import VGG16

__all__ = [
    "INPUT",
    "NETWORKS",
    "NIN",
    "VGG16",
    "Network",
    "ParameterShapes",
    "ReceptiveField",
    "Shape",
    "Tap",
    "get",
]

NETWORKS = {network.name: network for network in (VGG16, NIN)}
"""Every network of the package, by name."""

ALIASES = {"vgg": "vgg16"}
"""What the 2016 script's ``--model`` called them."""


def get(name: str) -> Network:
    """Return the network of that name.

    Parameters
    ----------
    name
        A key of `NETWORKS`, or the 2016 script's name for it (``vgg``).

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
