"""What a plan is made of: kernels, convolutions and products that name buffers."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from chainer_style.engines.arena import Arena, Buffer, Part, arrange

ALIGNMENT = 256
"""Bytes: where a buffer may begin, as CUDA's own allocations do."""

FLOAT = 4
"""Bytes of a number in single precision."""

BLOCKS = 264
"""Blocks of a kernel that sums: two for each multiprocessor of a large card."""


class Units(enum.IntEnum):
    """What kernels may multiply matrices with; each has those before it, too."""

    NONE = 0
    """Nothing but threads."""
    MMA = 1
    """Matrix units by warps: compute capability 8.0 and later."""
    WGMMA = 2
    """Matrix units by four warps together: compute capability 9.0 alone."""


Argument = str | Part | int | float | None
"""Of a kernel: a buffer, a number, or no address."""


@dataclass(frozen=True)
class Launch:
    """A kernel of ``kernels/``.

    Attributes
    ----------
    kernel
        Its name.
    arguments
        In its own order.
    count
        Numbers that its threads share.
    blocks
        How many, where that matters: each leaves one sum, or has a part of its own.
    shared
        Bytes that the threads of a block share, beyond what the kernel says itself.
    """

    kernel: str
    arguments: tuple[Argument, ...]
    count: int
    blocks: int | None = None
    shared: int = 0

    def uses(self) -> Iterator[str]:
        """Yield the buffers."""
        for argument in self.arguments:
            if isinstance(argument, Part):
                yield argument.buffer
            elif isinstance(argument, str):
                yield argument


@dataclass(frozen=True)
class Geometry:
    """A convolution of maps whose channels are filled up.

    Attributes
    ----------
    inputs, outputs
        Channels of its input and of its output, in memory.
    groups
        Parts that the channels fall into.
    kernel, stride, pad
        Along both sides.
    height, width
        Of the input.
    out_height, out_width
        Of the output.
    """

    inputs: int
    outputs: int
    groups: int
    kernel: int
    stride: int
    pad: int
    height: int
    width: int
    out_height: int
    out_width: int

    @property
    def turned(self) -> Geometry:
        """The convolution that makes of this one's output the size of its input.

        It is the one that carries gradients back where the stride is one.
        """
        return Geometry(
            self.outputs,
            self.inputs,
            self.groups,
            self.kernel,
            self.stride,
            self.kernel - 1 - self.pad,
            self.out_height,
            self.out_width,
            self.height,
            self.width,
        )


@dataclass(frozen=True)
class Convolution:
    """A convolution, or what carries its gradient back.

    Attributes
    ----------
    name
        The layer's.
    way
        ``forward``: y = W x + b, rectified if asked to. ``back``: the gradient of x
        from that of y, where `mask` is above zero if there is one.
    geometry
        Of the forward convolution, both ways.
    source, target
        What is read, and what is written.
    filters
        Shape (outputs, kernel, kernel, inputs / groups).
    bias
        One number per output; forward alone.
    rectified
        Whether the output is max(y, 0); forward alone.
    mask
        A map of the input's shape; back alone.
    turned
        The filters, turned by half a turn and with inputs and outputs exchanged: the
        gradient of x is the convolution of that of y with these. Back alone, and where
        there are such.
    """

    name: str
    way: Literal["forward", "back"]
    geometry: Geometry
    source: str
    target: str
    filters: str
    bias: str | None = None
    rectified: bool = False
    mask: str | None = None
    turned: str | None = None

    def sizes(self, width: int) -> dict[str, int]:
        """Return the bytes of all that it names, given those of a feature."""
        g = self.geometry
        x, y = g.height * g.width * g.inputs, g.out_height * g.out_width * g.outputs
        forward = self.way == "forward"
        filters = g.outputs * g.kernel**2 * g.inputs // g.groups
        found = {
            self.source: width * (x if forward else y),
            self.target: width * (y if forward else x),
            self.filters: width * filters,
        }
        more = {self.mask: width * x, self.turned: width * filters}
        more[self.bias] = 4 * g.outputs
        return found | {name: size for name, size in more.items() if name is not None}

    def uses(self) -> Iterator[str]:
        """Yield the buffers."""
        yield from (self.source, self.target)
        yield from (name for name in (self.bias, self.mask) if name is not None)


@dataclass(frozen=True)
class Product:
    """A product of matrices of features, row by row.

    Attributes
    ----------
    name
        The tap's.
    left, right
        Matrices of features.
    out
        Its result: single precision where `left` is transposed, features elsewhere.
    rows, columns, depth
        Extents of the result, and how many products a number of it sums.
    transposed
        Whether it is the transpose of `left`, stored as depth rows, that is multiplied:
        a Gram matrix.
    adding
        Whether the result is added to what is there.
    """

    name: str
    left: str
    right: str
    out: str
    rows: int
    columns: int
    depth: int
    transposed: bool = False
    adding: bool = False

    def uses(self) -> Iterator[str]:
        """Yield the buffers."""
        yield from (self.left, self.right, self.out)


Step = Launch | Convolution | Product


@dataclass(frozen=True)
class Program:
    """Steps in order.

    Attributes
    ----------
    steps
        They name the buffers that they use. A name without a size is that of something
        that is there already.
    sizes
        Bytes of the buffers, by name.
    kept
        Those that are read when the last step is done.
    """

    steps: tuple[Step, ...]
    sizes: dict[str, int]
    kept: frozenset[str] = frozenset()

    def buffers(self) -> list[Buffer]:
        """Return the buffers with the moments of their use."""
        moments: dict[str, list[int]] = {}
        for moment, step in enumerate(self.steps):
            for name in step.uses():
                if name in self.sizes:
                    moments.setdefault(name, []).append(moment)
        end = len(self.steps)
        return [
            Buffer(
                name,
                aligned(self.sizes[name]),
                when[0],
                end if name in self.kept else when[-1],
            )
            for name, when in moments.items()
        ]

    def arrange(self) -> Arena:
        """Return where the buffers lie."""
        return arrange(self.buffers())


def aligned(size: int) -> int:
    """Return bytes, rounded up to where the next buffer may begin."""
    return -(-size // ALIGNMENT) * ALIGNMENT
