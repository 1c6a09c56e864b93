"""The operations a network is made of, as plain declarations.

A node knows its geometry and nothing else: which shape it gives, which
parameters it needs, how many floating-point operations it takes. Whoever runs a
node (Chainer, a static plan) dispatches on its class.

Shapes are `(channels, height, width)`, those of one picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self, get_args

PoolKind = Literal["average", "max", "l2"]
Rounding = Literal["floor", "ceil"]

POOL_KINDS: tuple[PoolKind, ...] = get_args(PoolKind)
"""All kinds of pooling, see `Pool`."""


class Shape(NamedTuple):
    """Extent of a feature map, without the batch axis."""

    channels: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.channels * self.height * self.width

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of the picture here."""
        return self.height < 1 or self.width < 1

    def __str__(self) -> str:
        return f"{self.channels}×{self.height}×{self.width}"


class Window(NamedTuple):
    """The sliding window of a node along one spatial axis, in pixels."""

    kernel: int
    stride: int
    pad: int


@dataclass(frozen=True, slots=True)
class Node:
    """An operation without parameters that keeps the shape of its input.

    Attributes
    ----------
    name
        The layer's name in the Caffe file.
    inputs
        Names of the nodes it reads. Left empty in a declaration, it means the
        node before (see `sequential`).
    """

    name: str
    inputs: tuple[str, ...] = ()

    @property
    def window(self) -> Window:
        """How far the node looks around a position."""
        return Window(kernel=1, stride=1, pad=0)

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of the output for the given input shapes."""
        return inputs[0]

    def parameter_shapes(self, inputs: Sequence[Shape]) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters, by Chainer's names `W` and `b`."""
        return {}

    def flops(self, inputs: Sequence[Shape]) -> int:
        """Floating-point operations of a forward pass, a multiply-add as two.

        Only matrix and convolution arithmetic is counted; the element-wise
        rest is bound by memory.
        """
        return 0

    def reading(self, *inputs: str) -> Self:
        """Return the same node with the given inputs."""
        return replace(self, inputs=inputs)


@dataclass(frozen=True, slots=True)
class ReLU(Node):
    """max(x, 0)."""


@dataclass(frozen=True, slots=True)
class Dropout(Node):
    """Dropout: at rest but in training, which only Table 1 does.

    Attributes
    ----------
    ratio
        Share of the elements that is set to 0; the others grow accordingly.
    """

    ratio: float = 0.5


@dataclass(frozen=True, slots=True)
class Softmax(Node):
    """Softmax over the channels."""


@dataclass(frozen=True, slots=True)
class Sigmoid(Node):
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True, slots=True)
class LRN(Node):
    r"""Local response normalisation across channels, as Caffe defines it.

    :math:`y_c = x_c \, (k + \frac{\alpha}{n} \sum_d x_d^2)^{-\beta}` with
    :math:`n` = `local_size` and :math:`d` within :math:`(n - 1) / 2` of :math:`c`.
    Krizhevsky, Sutskever and Hinton 2012, section 3.3, and Chainer do not divide
    :math:`\alpha` by :math:`n`. The defaults are those of bvlc_alexnet and
    bvlc_googlenet.
    """

    local_size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0


@dataclass(frozen=True, slots=True)
class Concat(Node):
    """The channels of all inputs, one input after the other."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of the output for the given input shapes.

        Raises
        ------
        ValueError
            If the inputs differ in height or width.
        """
        _, height, width = inputs[0]
        if any(shape[1:] != (height, width) for shape in inputs):
            found = ", ".join(map(str, inputs))
            raise ValueError(f"{self.name}: cannot concatenate {found}")
        return Shape(sum(shape.channels for shape in inputs), height, width)


def _extent(length: int, window: Window, rounding: Rounding) -> int:
    """Output length of a sliding window along one axis."""
    span = length + 2 * window.pad - window.kernel
    if rounding == "floor":
        return max(span // window.stride + 1, 0)
    count = max(-(-span // window.stride) + 1, 0)
    # Caffe drops a last window that would start beyond the padded picture.
    if window.pad and (count - 1) * window.stride >= length + window.pad:
        count -= 1
    return count


@dataclass(frozen=True, slots=True)
class Conv(Node):
    """Two-dimensional convolution with a square kernel and a bias.

    With `groups`, input and output channels fall into that many equal parts, each
    output part reading its own input part only.
    """

    channels: int = 0
    kernel: int = 1
    stride: int = 1
    pad: int = 0
    groups: int = 1

    @property
    def window(self) -> Window:
        """Kernel, stride and padding along either axis."""
        return Window(self.kernel, self.stride, self.pad)

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of the output for the given input shapes."""
        _, height, width = inputs[0]
        return Shape(
            self.channels,
            _extent(height, self.window, "floor"),
            _extent(width, self.window, "floor"),
        )

    def parameter_shapes(self, inputs: Sequence[Shape]) -> dict[str, tuple[int, ...]]:
        """Shapes of `W` (out, in / groups, kernel, kernel) and `b` (out,)."""
        seen = inputs[0].channels // self.groups
        kernel = (self.channels, seen, self.kernel, self.kernel)
        return {"W": kernel, "b": (self.channels,)}

    def flops(self, inputs: Sequence[Shape]) -> int:
        """Operations of the direct convolution."""
        reach = inputs[0].channels // self.groups * self.kernel**2
        return 2 * reach * self.output_shape(inputs).size


@dataclass(frozen=True, slots=True)
class Pool(Node):
    r"""Pooling over a square window.

    Declared as Caffe runs it (`rounding="ceil"`); a protocol may replace kind
    and rounding, see `Network.with_pooling`.

    Attributes
    ----------
    kind
        What is made of the :math:`n` values :math:`x_i` that a window covers:
        ``average``, their mean; ``max``, the largest; ``l2``, the root of their mean
        square, :math:`y = \sqrt{\frac{1}{n} \sum_i x_i^2}`, with the gradient
        :math:`x_i / (n y)`, or 0 where all values are 0. Mean and mean square count
        the zeros of the padding, but nothing beyond it; the maximum sees the feature
        map alone. Caffe knows the first two.
    rounding
        Whether a last window may reach over the edge.

    Notes
    -----
    By the root of a *mean* a window of equal values, 0 or more, gives that value, as
    it does by the average, whatever the kernel. PyTorch's ``LPPool2d(2, kernel)`` takes
    the root of the *sum*, which is `kernel` times as much. crowsonkb's
    style-transfer-pytorch (e7e2c71, ``style_transfer.py`` and readme) multiplies that
    by 0.78, found by trial, to keep the scale that the features have by the maximum;
    over its 2×2 windows that is 1.56 times what is given here.
    """

    kernel: int = 2
    stride: int = 2
    pad: int = 0
    kind: PoolKind = "max"
    rounding: Rounding = "ceil"

    @property
    def window(self) -> Window:
        """Kernel, stride and padding along either axis."""
        return Window(self.kernel, self.stride, self.pad)

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of the output for the given input shapes."""
        channels, height, width = inputs[0]
        return Shape(
            channels,
            _extent(height, self.window, self.rounding),
            _extent(width, self.window, self.rounding),
        )


@dataclass(frozen=True, slots=True)
class Linear(Node):
    """Fully connected layer over the flattened input (Caffe's InnerProduct)."""

    channels: int = 0

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of the output: one position."""
        return Shape(self.channels, 1, 1)

    def parameter_shapes(self, inputs: Sequence[Shape]) -> dict[str, tuple[int, ...]]:
        """Shapes of `W` (out, in) and `b` (out,)."""
        return {"W": (self.channels, inputs[0].size), "b": (self.channels,)}

    def flops(self, inputs: Sequence[Shape]) -> int:
        """Operations of the matrix-vector product."""
        return 2 * self.channels * inputs[0].size


def sequential(*nodes: Node, start: str = "data") -> tuple[Node, ...]:
    """Let every node that names no input read the one declared before it.

    Parameters
    ----------
    nodes
        Nodes in order of evaluation.
    start
        What the first one reads.
    """
    before, linked = start, []
    for node in nodes:
        linked.append(node if node.inputs else node.reading(before))
        before = node.name
    return tuple(linked)
