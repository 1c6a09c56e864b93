"""The losses at the taps as steps of a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainer_style.engines.cpu import division
from chainer_style.engines.cpu.compiler import Compiler
from chainer_style.engines.cpu.kernels.grams import DEPTH
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.engines.cpu.parameters import Array
from chainer_style.networks import Tap

DOUBLE = 8
"""Bytes of a partial sum."""


@dataclass(frozen=True)
class Target:
    """What one tap is compared with.

    Attributes
    ----------
    tap
        Which one.
    style
        The style picture's Gram matrix, channels that fill up included.
    content
        The content picture's features, or None where they do not count.
    content_weight, style_weight
        Of the mean squares of the differences.
    """

    tap: Tap
    style: Array
    content: Array | None
    content_weight: float
    style_weight: float


def add_gram(
    compiler: Compiler, node: str, uses: Mapping[str, str], **scales: float
) -> None:
    """Draft a tapped node's Gram matrix, divided by the number of its features.

    Parameters
    ----------
    compiler
        Of the network.
    node
        The node.
    uses
        Where to write it; with a ``target``, what it is off by; see `grams.compare`.
    **scales
        Factor of what is written.
    """
    shape, draft = compiler.maps[node], compiler.draft
    panels = shape.channels // PANEL
    slots = division.slots(shape)
    sums = draft.buffer(f"sums {node}", 4 * len(slots) * shape.channels**2)
    shares = division.shares(len(slots), panels, compiler.threads)
    draft.add(
        f"{node} Gram",
        "gram",
        len(slots) * shares,
        {"x": compiler.features(node), "y": sums},
        space=4 * DEPTH * shape.channels,
        positions=slots[0],
        shares=shares,
        **shape.read(),
    )
    draft.add(
        f"{node} Gram",
        "compare",
        panels,
        {"x": sums, **uses},
        positions=len(slots),
        scale=1 / shape.true_size,
        **{**shape.read(), **scales},
    )


class TapLosses:
    """Content and style at one tap, as steps.

    Parameters
    ----------
    compiler
        Of the network.
    node
        The tapped node.
    target
        What it is compared with.
    """

    def __init__(self, compiler: Compiler, node: str, target: Target) -> None:
        self._compiler, self._node, self._target = compiler, node, target
        shape, draft = compiler.maps[node], compiler.draft
        self._shape = shape
        self._block = division.positions(shape, compiler.threads)
        self._units = -(-shape.positions // self._block)
        size = DOUBLE * (shape.channels // PANEL)
        self._style = draft.buffer(f"style loss {node}", size, kept=True)
        size = DOUBLE * self._units
        self._content = draft.buffer(f"content loss {node}", size, kept=True)
        draft.fixed[f"style {node}"] = target.style.ctypes.data
        if target.content is not None:
            draft.fixed[f"content {node}"] = target.content.ctypes.data

    def compare(self) -> None:
        """Draft the Gram matrix and what it is off by."""
        shape = self._shape
        error = self._compiler.draft.buffer(
            f"style error {self._node}", 4 * shape.channels**2
        )
        # The derivative of a mean of squares, through F F^T, which counts twice.
        scale = 4 * self._target.style_weight / shape.count**2 / shape.true_size
        uses = {"y": error, "target": f"style {self._node}", "partial": self._style}
        add_gram(self._compiler, self._node, uses, second_scale=scale)

    def write(self, uses: Mapping[str, str], add: bool) -> None:
        """Draft the gradient of both losses; see `Compiler.backward`."""
        node, shape, compiler = self._node, self._shape, self._compiler
        more = {}
        if self._target.content is not None:
            more = {"target": f"content {node}", "partial": self._content}
        compiler.draft.add(
            f"{node} losses",
            "style",
            self._units,
            {
                **uses,
                **more,
                "x": compiler.features(node),
                "weights": f"style error {node}",
            },
            space=4 * self._block * shape.channels,
            positions=self._block,
            backward=True,
            add=add,
            scale=2 * self._target.content_weight / shape.true_size,
            **{**shape.read(), **shape.written()},
        )
