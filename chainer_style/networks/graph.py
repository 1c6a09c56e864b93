"""A network as a graph of named nodes, and what follows from the graph alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import NamedTuple

from chainer_style.errors import UserError
from chainer_style.networks.nodes import (
    LRN,
    Node,
    Pool,
    PoolKind,
    ReLU,
    Rounding,
    Shape,
)

INPUT = "data"
"""Name of the picture among a network's nodes, as in Caffe's files."""

ParameterShapes = dict[str, dict[str, tuple[int, ...]]]
"""Shapes of a network's parameters: layer name -> `W`/`b` -> shape."""


class Tap(NamedTuple):
    """A place where features are read for the losses.

    Attributes
    ----------
    name
        What the 2016 code and the tables call it.
    node
        The node whose output is read.
    content, style
        Weight of the content and of the style term there: alpha and beta of
        the 2016 code.
    """

    name: str
    node: str
    content: float
    style: float


class ReceptiveField(NamedTuple):
    """What one position of a feature map sees of the picture, in pixels.

    Attributes
    ----------
    size
        Side of the square that it sees.
    stride
        Distance between the squares of two neighbours.
    start
        First row (or column) that position 0 sees; negative within padding.
    """

    size: int
    stride: int
    start: int


@dataclass(frozen=True)
class Network:
    """A network, declared once; everything else is derived from this.

    Attributes
    ----------
    name
        The name to ask for, such as ``vgg16``.
    title
        The name to print.
    nodes
        Nodes in order of evaluation; the first reads ``data``.
    taps
        Where content and style are read, from shallow to deep.
    mean
        Mean of the training pictures, (blue, green, red), in 0..255.
    input_size
        Height and width the network was trained at. Only the fully connected
        layers depend on it.
    source
        Where the architecture and the numbers come from.
    channels
        Of the picture: 3, or 1 for grey levels.
    unread
        First parts of the names, up to a slash, of layers that the Caffe file has
        beside these nodes, such as classifiers that only training needs.
    """

    name: str
    title: str
    nodes: tuple[Node, ...]
    taps: tuple[Tap, ...]
    mean: tuple[float, float, float]
    input_size: int
    source: str
    channels: int = 3
    unread: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = {INPUT}
        for node in self.nodes:
            missing = [name for name in node.inputs if name not in known]
            if missing or not node.inputs or node.name in known:
                raise ValueError(
                    f"{self.name}: node {node.name!r} reads {node.inputs}, "
                    "which must all be declared before it, once each"
                )
            known.add(node.name)
        for tap in self.taps:
            if tap.node not in known:
                raise ValueError(f"{self.name}: no node {tap.node!r} to tap")

    def __getitem__(self, name: str) -> Node:
        """Return the node of that name."""
        return self._by_name[name]

    @functools.cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    # -- variants ---------------------------------------------------------

    def upto(self, *names: str) -> Network:
        """Return the part of the network that the named nodes depend on."""
        needed = set(names)
        for node in reversed(self.nodes):
            if node.name in needed:
                needed.update(node.inputs)
        return replace(
            self,
            nodes=tuple(node for node in self.nodes if node.name in needed),
            taps=tuple(tap for tap in self.taps if tap.node in needed),
        )

    def upto_taps(self) -> Network:
        """Return the part that the losses see: no layer above the last tap."""
        return self.upto(*(tap.node for tap in self.taps))

    def with_pooling(self, kind: PoolKind, rounding: Rounding) -> Network:
        """Return the network with every pooling node of that kind and rounding."""
        nodes = tuple(
            replace(node, kind=kind, rounding=rounding)
            if isinstance(node, Pool)
            else node
            for node in self.nodes
        )
        return replace(self, nodes=nodes)

    def with_taps_after_relu(self) -> Network:
        """Return the network with each tap moved behind the ReLU that reads it."""
        rectified = {
            node.inputs[0]: node.name for node in self.nodes if isinstance(node, ReLU)
        }
        taps = tuple(
            tap._replace(node=rectified.get(tap.node, tap.node)) for tap in self.taps
        )
        return replace(self, taps=taps)

    def with_equal_taps(self) -> Network:
        """Return the network with 1 for every weight of a tap that is not 0."""
        taps = tuple(
            tap._replace(content=float(tap.content != 0), style=float(tap.style != 0))
            for tap in self.taps
        )
        return replace(self, taps=taps)

    def with_chainer_normalization(self) -> Network:
        """Return the network with the constants that Chainer normalises with.

        k = 2, alpha = 1e-4 not divided by the size, beta = 0.75: the defaults of
        ``local_response_normalization`` in chainer v1.5.0 as in 7.8.1.
        """
        nodes = tuple(
            replace(node, k=2.0, alpha=1e-4 * node.local_size, beta=0.75)
            if isinstance(node, LRN)
            else node
            for node in self.nodes
        )
        return replace(self, nodes=nodes)

    # -- geometry ---------------------------------------------------------

    def shapes(self, height: int, width: int) -> dict[str, Shape]:
        """Shape of every node's output for a picture of that size in pixels."""
        shapes = {INPUT: Shape(self.channels, height, width)}
        for node in self.nodes:
            shapes[node.name] = node.output_shape([shapes[n] for n in node.inputs])
        return shapes

    def parameter_shapes(self) -> ParameterShapes:
        """Shapes of the parameters of every layer that has some."""
        shapes = self.shapes(self.input_size, self.input_size)
        return {
            node.name: parameters
            for node in self.nodes
            if (parameters := node.parameter_shapes([shapes[n] for n in node.inputs]))
        }

    def flops(self, height: int, width: int) -> int:
        """Floating-point operations of one forward pass (see `Node.flops`)."""
        shapes = self.shapes(height, width)
        return sum(node.flops([shapes[n] for n in node.inputs]) for node in self.nodes)

    def receptive_field(self, name: str) -> ReceptiveField:
        """Return what one position of a node's output sees of the picture."""
        fields = {INPUT: ReceptiveField(size=1, stride=1, start=0)}
        for node in self.nodes:
            kernel, stride, pad = node.window
            seen = [fields[n] for n in node.inputs]
            step = seen[0].stride
            start = min(f.start for f in seen)
            reach = max(f.start + f.size for f in seen) - start
            fields[node.name] = ReceptiveField(
                size=reach + (kernel - 1) * step,
                stride=stride * step,
                start=start - pad * step,
            )
        return fields[name]

    def minimum_size(self) -> int:
        """Smallest height and width, in pixels, at which no tap is empty."""
        part = self.upto_taps()
        size = 1
        while any(shape.is_empty for shape in part.shapes(size, size).values()):
            size += 1
        return size

    def check_size(self, height: int, width: int) -> None:
        """Refuse a picture that is too small for the taps.

        Raises
        ------
        UserError
            Naming the smallest size that the network accepts.
        """
        smallest = self.minimum_size()
        if min(height, width) < smallest:
            raise UserError(
                f"{self.title} needs a picture of at least {smallest} pixels each "
                f"way, not {width}×{height}: nothing would be left of it at its "
                f"last tap; choose a larger --width"
            )
