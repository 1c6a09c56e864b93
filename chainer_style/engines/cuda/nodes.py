"""The steps of a network's nodes, forth and back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainer_style.engines.cuda.steps import (
    Convolution,
    Geometry,
    Launch,
    Step,
)
from chainer_style.errors import UserError
from chainer_style.networks.nodes import (
    LRN,
    Concat,
    Conv,
    Node,
    Pool,
    PoolKind,
    ReLU,
    Shape,
)

UNIT = 8
"""Channels of a map are filled up to a multiple of it: matrix units read so many
numbers of 16 bits at once."""

KINDS: dict[PoolKind, int] = {"average": 0, "max": 1, "l2": 2}
"""What kernels call them (``kernels/pooling.cu``)."""


WHOLE = 2
"""A mask of all of a gradient, as kernels call it (``kernels/pooling.cu``)."""


def filled(channels: int) -> int:
    """Return the channels that a map has in memory."""
    return -(-channels // UNIT) * UNIT


def turns(node: Conv) -> bool:
    """Whether a convolution with turned filters carries its gradient back."""
    return node.stride == 1 and node.groups == 1 and node.pad < node.kernel


@dataclass(frozen=True)
class Back:
    """What carries a gradient from a node's output to one of its inputs.

    Attributes
    ----------
    index
        Which input.
    x, y
        Maps of the input and the output.
    gy, gx
        Gradients of the output and the input.
    room
        Of the size of `gx`, for what cannot add to it.
    masked
        Whether the gradient is to pass only where `x` is above zero.
    adding
        Whether it is added to what is in `gx`.
    last
        Whether `masked` is meant of what is in `gx`, too; of poolings alone.
    """

    index: int
    x: str
    y: str
    gy: str
    gx: str
    room: str
    masked: bool
    adding: bool
    last: bool = False

    @property
    def stops(self) -> int:
        """What the mask stops, as poolings' kernels call it."""
        return WHOLE if self.masked and self.last else int(self.masked)

    @property
    def mask(self) -> str | None:
        """The map whose signs count, if any do."""
        return self.x if self.masked else None


class Layers:
    """Steps of nodes whose maps have certain shapes.

    Parameters
    ----------
    shapes
        Of the outputs, by node.
    width
        Bytes of a feature.
    """

    def __init__(self, shapes: Mapping[str, Shape], width: int) -> None:
        self._shapes = shapes
        self.bytes = width

    def shape(self, node: str) -> Shape:
        """Return the shape of a node's output, or of the picture."""
        return self._shapes[node]

    def channels(self, node: str) -> int:
        """Return the channels of a node's map in memory."""
        return filled(self._shapes[node].channels)

    def positions(self, node: str) -> int:
        """Return height times width of a node's map."""
        shape = self._shapes[node]
        return shape.height * shape.width

    def count(self, node: str) -> int:
        """Return how many numbers a node's map has in memory."""
        return self.positions(node) * self.channels(node)

    def size(self, node: str) -> int:
        """Return the bytes of a node's map."""
        return self.bytes * self.count(node)

    def rectifies(self, node: Node) -> bool:
        """Whether a node's step can rectify what it reads."""
        return isinstance(node, Pool)

    def beside(self, node: Node) -> dict[str, int]:
        """Return buffers that a node needs beside its map, with their bytes."""
        if isinstance(node, Pool) and node.kind == "max":
            return {f"chosen {node.name}": self.count(node.name)}
        return {}

    def geometry(self, node: Conv) -> Geometry:
        """Return a convolution of maps as they lie in memory.

        Raises
        ------
        UserError
            If it has groups of channels that would not begin where they should.
        """
        source = node.inputs[0]
        seen, made = self._shapes[source], self._shapes[node.name]
        if node.groups > 1:
            for channels in (seen.channels, made.channels):
                if channels % (node.groups * UNIT):
                    raise UserError(
                        f"the engine 'cuda' does not know groups of "
                        f"{channels}/{node.groups} channels, as {node.name} has; "
                        "take --engine chainer"
                    )
        return Geometry(
            self.channels(source),
            self.channels(node.name),
            node.groups,
            node.kernel,
            node.stride,
            node.pad,
            seen.height,
            seen.width,
            made.height,
            made.width,
        )

    def window(self, node: Pool) -> tuple[int, ...]:
        """Return a pooling as its kernels take it, but for what they rectify."""
        seen, made = self._shapes[node.inputs[0]], self._shapes[node.name]
        extents = (seen.height, seen.width, made.height, made.width)
        place = (node.kernel, node.stride, node.pad, KINDS[node.kind])
        return (*extents, self.channels(node.name), *place)

    def response(self, node: LRN) -> tuple[int | float, ...]:
        """Return a normalisation as its kernels take it."""
        name = node.name
        extents = (self.positions(name), self.channels(name))
        strength = node.alpha / node.local_size
        reach = node.local_size // 2
        channels = self._shapes[name].channels
        return (*extents, channels, reach, strength, node.k, node.beta)

    def begin(self, node: Concat, index: int) -> int:
        """Return the channel of the output at which an input begins."""
        return sum(self._shapes[name].channels for name in node.inputs[:index])

    def forward(
        self, node: Node, inputs: Sequence[str], y: str, rectified: bool
    ) -> list[Step]:
        """Return the steps that compute a node.

        Parameters
        ----------
        node
            The node.
        inputs, y
            Maps of its inputs and of its output.
        rectified
            Of a convolution: whether its output is. Of a pooling: whether its input
            is to be.
        """
        return _forward(node, self, inputs, y, rectified)

    def back(self, node: Node, given: Back) -> list[Step]:
        """Return the steps that carry a node's gradient to one of its inputs."""
        return _back(node, self, given)


def _unknown(node: Node) -> UserError:
    kind = type(node).__name__
    return UserError(
        f"the engine 'cuda' does not know {node.name}, of kind {kind}; take "
        "--engine chainer"
    )


@functools.singledispatch
def _forward(
    node: Node, layers: Layers, inputs: Sequence[str], y: str, rectified: bool
) -> list[Step]:
    raise _unknown(node)


@_forward.register
def _(
    node: Conv, layers: Layers, inputs: Sequence[str], y: str, rectified: bool
) -> list[Step]:
    name, geometry = node.name, layers.geometry(node)
    ends = inputs[0], y, f"filters {name}", f"bias {name}"
    return [Convolution(name, "forward", geometry, *ends, rectified)]


@_forward.register
def _(
    node: ReLU, layers: Layers, inputs: Sequence[str], y: str, rectified: bool
) -> list[Step]:
    count = layers.count(node.name)
    return [Launch("rectify", (inputs[0], y, count), count // UNIT)]


@_forward.register
def _(
    node: Pool, layers: Layers, inputs: Sequence[str], y: str, rectified: bool
) -> list[Step]:
    chosen = next(iter(layers.beside(node)), None)
    given = (inputs[0], y, chosen, *layers.window(node), int(rectified))
    return [Launch("pool", given, layers.count(node.name) // UNIT)]


@_forward.register
def _(
    node: LRN, layers: Layers, inputs: Sequence[str], y: str, rectified: bool
) -> list[Step]:
    given = (inputs[0], y, *layers.response(node))
    return [Launch("normalise", given, layers.count(node.name))]


@_forward.register
def _(
    node: Concat, layers: Layers, inputs: Sequence[str], y: str, rectified: bool
) -> list[Step]:
    steps: list[Step] = []
    positions, whole = layers.positions(node.name), layers.channels(node.name)
    for index, (name, x) in enumerate(zip(node.inputs, inputs, strict=True)):
        first = layers.begin(node, index)
        channels = layers.begin(node, index + 1) - first
        last = index + 1 == len(inputs)
        filling = whole - first - channels if last else 0
        numbers = (layers.channels(name), 0, whole, first, channels, filling, 0)
        count = positions * (channels + filling)
        steps.append(Launch("carry", (x, None, y, positions, *numbers), count))
    return steps


@functools.singledispatch
def _back(node: Node, layers: Layers, given: Back) -> list[Step]:
    raise _unknown(node)


@_back.register
def _(node: Conv, layers: Layers, given: Back) -> list[Step]:
    name, geometry = node.name, layers.geometry(node)
    filters = f"filters {name}"
    turned = f"turned {name}" if turns(node) else None
    if not given.adding:
        ends = given.gy, given.gx, filters
        step = Convolution(name, "back", geometry, *ends)
        return [dataclasses.replace(step, mask=given.mask, turned=turned)]
    count = layers.count(node.inputs[0])
    ends = given.gy, given.room, filters
    return [
        Convolution(name, "back", geometry, *ends, turned=turned),
        Launch("join", (given.room, given.mask, given.gx, count, 1), count // UNIT),
    ]


@_back.register
def _(node: ReLU, layers: Layers, given: Back) -> list[Step]:
    count = layers.count(node.name)
    arguments = (given.gy, given.x, given.gx, count, int(given.adding))
    return [Launch("join", arguments, count // UNIT)]


@_back.register
def _(node: Pool, layers: Layers, given: Back) -> list[Step]:
    x = given.x if given.masked or node.kind == "l2" else None
    y = given.y if node.kind == "l2" else None
    chosen = next(iter(layers.beside(node)), None)
    flags = (given.stops, int(given.adding))
    arguments = (given.gy, x, y, chosen, given.gx, *layers.window(node), *flags)
    return [Launch("unpool", arguments, layers.count(node.inputs[0]) // UNIT)]


@_back.register
def _(node: LRN, layers: Layers, given: Back) -> list[Step]:
    flags = (int(given.masked), int(given.adding))
    arguments = (given.gy, given.x, given.gx, *layers.response(node), *flags)
    return [Launch("denormalise", arguments, layers.count(node.name))]


@_back.register
def _(node: Concat, layers: Layers, given: Back) -> list[Step]:
    name = node.inputs[given.index]
    first = layers.begin(node, given.index)
    channels = layers.begin(node, given.index + 1) - first
    whole = layers.channels(name)
    filling = 0 if given.adding else whole - channels
    positions = layers.positions(node.name)
    extents = (layers.channels(node.name), first, whole, 0, channels, filling)
    ends = (given.gy, given.mask, given.gx, positions)
    count = positions * (channels + filling)
    return [Launch("carry", (*ends, *extents, int(given.adding)), count)]
