"""Chainer links that wrap a network's graph and its Caffe-converted weights.

The parameters of a chain carry the names of the Caffe layers, as those of
Chainer's own ``CaffeFunction`` do:

>>> from chainer_style import links
>>> chain = links.NIN("models/nin_imagenet.h5")  # doctest: +SKIP
>>> features, = chain(x, ["conv4-1024"])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import chainer
import chainer.links as L

from chainer_style import networks
from chainer_style.functions import apply
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Node
from chainer_style.weights import Arrays, load

Variable = Any  # chainer.Variable, which carries no types


class NetworkChain(chainer.Chain):  # type: ignore[misc]
    """A network's graph as a Chainer chain.

    Parameters
    ----------
    network
        The graph.
    arrays
        Layer name -> ``W``/``b`` -> array. Without, the layers are initialised
        as Chainer does by default, for training from scratch.
    trainable
        Whether the gradient of the filters is computed in ``backward``.
    """

    def __init__(
        self, network: Network, arrays: Arrays | None = None, *, trainable: bool = True
    ) -> None:
        super().__init__()
        self.network = network
        self.trainable = trainable
        for layer, shapes in network.parameter_shapes().items():
            given = arrays[layer] if arrays is not None else {}
            self.add_link(layer, layer_link(network[layer], shapes["W"], given))

    def __call__(self, x: Variable, nodes: Sequence[str]) -> list[Variable]:
        """Run the graph and return the outputs of the named nodes.

        Parameters
        ----------
        x
            Pictures in network units, shape (batch, 3, height, width).
        nodes
            Names of nodes. Layers that they do not depend on are not run.

        Returns
        -------
        list of chainer.Variable
            Each of shape (batch, channels, height, width), or (batch, channels)
            behind a fully connected layer.
        """
        values = {INPUT: x}
        for node in self.network.upto(*nodes).nodes:
            inputs = [values[name] for name in node.inputs]
            values[node.name] = apply(node, *inputs, *self._parameters(node.name))
        return [values[name] for name in nodes]

    def _parameters(self, name: str) -> tuple[Variable, ...]:
        if name not in self._children:
            return ()
        link = self[name]
        return (link.W, link.b) if self.trainable else (link.W.array, link.b.array)


class DeclaredChain(NetworkChain):
    """A chain of one of the package's networks.

    Parameters
    ----------
    weights
        See `chainer_style.weights.load`: a file, or ``seeded``. Without, the layers
        are initialised as Chainer does by default.
    whole
        Up to the classes; otherwise up to the last tap, which is what style transfer
        needs and what ``chainer-style convert`` keeps.

    Raises
    ------
    UserError
        If the weights cannot be read or do not fit.
    """

    declared: ClassVar[Network]

    def __init__(self, weights: str | None = None, *, whole: bool = False) -> None:
        network = self.declared if whole else self.declared.upto_taps()
        super().__init__(network, load(weights, network).arrays if weights else None)


class VGG16(DeclaredChain):
    """VGG-16 as a Chainer chain, up to ``conv4_3`` unless `whole`.

    Takes a file of weights, or ``seeded``; see `DeclaredChain`.
    """

    declared = networks.VGG16


class VGG19(DeclaredChain):
    """VGG-19 as a Chainer chain, up to ``conv4_4`` unless `whole`.

    Takes a file of weights, or ``seeded``; see `DeclaredChain`.
    """

    declared = networks.VGG19


class NIN(DeclaredChain):
    """Network in Network as a Chainer chain, up to ``conv4-1024`` unless `whole`.

    Takes a file of weights, or ``seeded``; see `DeclaredChain`.
    """

    declared = networks.NIN


class GoogLeNet(DeclaredChain):
    """GoogLeNet as a Chainer chain, up to ``inception_4b`` unless `whole`.

    Takes a file of weights, or ``seeded``; see `DeclaredChain`. The classifiers
    ``loss1`` and ``loss2``, which only training needs, are not part of it.
    """

    declared = networks.GOOGLENET


class Illust2Vec(DeclaredChain):
    """Illustration2Vec as a Chainer chain, up to ``conv6_4`` unless `whole`.

    Takes a file of weights, or ``seeded``; see `DeclaredChain`.
    """

    declared = networks.ILLUST2VEC


class AlexNet(DeclaredChain):
    """AlexNet as a Chainer chain, up to ``conv5`` unless `whole`.

    Takes a file of weights, or ``seeded``; see `DeclaredChain`.
    """

    declared = networks.ALEXNET


def layer_link(node: Node, shape: tuple[int, ...], arrays: Mapping[str, Any]) -> Any:
    """Return Chainer's link for a layer with filters of that shape."""
    initial = {"initialW": arrays.get("W"), "initial_bias": arrays.get("b")}
    if isinstance(node, Conv):
        channels = shape[1] * node.groups
        window = (node.kernel, node.stride, node.pad)
        return L.Convolution2D(
            channels, shape[0], *window, groups=node.groups, **initial
        )
    return L.Linear(shape[1], shape[0], **initial)
