"""The losses at the taps as steps of a program."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chainer_style.engines.arena import Part
from chainer_style.engines.cpu import division
from chainer_style.engines.cpu.compiler import Compiler
from chainer_style.engines.cpu.draft import Map
from chainer_style.engines.cpu.kernels.grams import between
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.engines.cpu.parameters import Array

DOUBLE = 8
"""Bytes of a partial sum."""


@dataclass(frozen=True)
class Term:
    """What the losses at one tap are.

    Attributes
    ----------
    content_weight, style_weight
        Of the mean squares of the differences.
    has_content
        Whether there is a content loss.
    """

    content_weight: float
    style_weight: float
    has_content: bool


def lay_out(
    compiler: Compiler, node: str, source: tuple[str | Part, Map] | None = None
) -> None:
    """Draft that a tapped node's features are laid out as its Gram matrix reads them.

    Where they have so many positions that it reads them as they are, nothing is.

    Parameters
    ----------
    compiler, node, source
        See `add_gram`.
    """
    features, shape = source or (compiler.features(node), compiler.maps[node])
    if len(division.slots(shape)) > 1:
        return
    block = division.positions(shape, compiler.threads)
    size = shape.channels // PANEL * between(shape.positions)
    compiler.draft.add(
        f"{node} panels",
        "panel",
        -(-shape.positions // block),
        {"x": features, "y": compiler.draft.buffer(f"panels {node}", size)},
        positions=block,
        **{**shape.read(), **shape.written()},
    )


def add_gram(
    compiler: Compiler,
    node: str,
    uses: Mapping[str, str],
    source: tuple[str | Part, Map] | None = None,
    **scales: float,
) -> None:
    """Draft a tapped node's Gram matrix, divided by the number of its features.

    They have been laid out for it; see `lay_out`.

    Parameters
    ----------
    compiler
        Of the network.
    node
        The node.
    uses
        Where to write it; with a ``target``, what it is off by; see `grams.compare`.
    source
        Buffer and map of the features; by default the node's.
    **scales
        Factor of what is written, and another one than that number's inverse.
    """
    draft = compiler.draft
    features, shape = source or (compiler.features(node), compiler.maps[node])
    panels = shape.channels // PANEL
    sources: dict[str, str | Part]
    slots = division.slots(shape)
    if len(slots) == 1:
        sources = {"source": f"panels {node}"}
    else:
        sums = draft.buffer(f"sums {node}", 4 * len(slots) * shape.channels**2)
        shares = division.shares(len(slots), panels, compiler.threads, division.EACH)
        draft.add(
            f"{node} Gram",
            "gram",
            len(slots) * shares,
            {"x": features, "y": sums},
            positions=slots[0],
            shares=shares,
            **shape.read(),
        )
        sources = {"x": sums}
    draft.add(
        f"{node} Gram",
        "compare",
        panels,
        {**sources, **uses},
        space=4 * PANEL * (PANEL + 2),
        positions=len(slots),
        **{**shape.read(), "scale": 1 / shape.true_size, **scales},
    )


class TapLosses:
    """Content and style at one tap, as steps.

    Parameters
    ----------
    compiler
        Of the network.
    node
        The tapped node.
    term
        What the losses are; their targets are named ``style`` and ``content``, and
        the node.

    Attributes
    ----------
    is_few
        Whether all is done on the way back, by `grams.style_few`: the style's target
        has to lie in panels.
    """

    def __init__(self, compiler: Compiler, node: str, term: Term) -> None:
        self._compiler, self._node, self._term = compiler, node, term
        shape, draft = compiler.maps[node], compiler.draft
        self._shape = shape
        self.is_few = division.is_few(shape)
        self._block = division.summed(shape)
        panels = shape.channels // PANEL
        self._units = panels if self.is_few else -(-shape.positions // self._block)
        size = DOUBLE * panels
        self._style = draft.buffer(f"style loss {node}", size, kept=True)
        size = DOUBLE * self._units
        self._content = draft.buffer(f"content loss {node}", size, kept=True)

    def lay_out(self) -> None:
        """Draft what the Gram matrix needs, as soon as the features are there."""
        lay_out(self._compiler, self._node)

    def compare(self) -> None:
        """Draft the Gram matrix and what it is off by; it may come later."""
        if self.is_few:
            return
        shape = self._shape
        error = self._compiler.draft.buffer(
            f"style error {self._node}", 4 * shape.channels**2
        )
        uses = {"y": error, "target": f"style {self._node}", "partial": self._style}
        add_gram(self._compiler, self._node, uses, second_scale=self._style_scale)

    @property
    def _style_scale(self) -> float:
        """The derivative of a mean of squares, through F F^T, which counts twice."""
        shape = self._shape
        return 4 * self._term.style_weight / shape.count**2 / shape.true_size

    @property
    def _content_scale(self) -> float:
        return 2 * self._term.content_weight / self._shape.true_size

    def write(self, uses: Mapping[str, str], add: bool) -> None:
        """Draft the gradient of both losses; see `Compiler.backward`."""
        node, shape, compiler = self._node, self._shape, self._compiler
        more = {}
        if self._term.has_content:
            more = {"target": f"content {node}", "partial": self._content}
        uses = {**uses, **more, "x": compiler.features(node)}
        extents = {**shape.read(), **shape.written()}
        if self.is_few:
            uses["weights"] = f"panels {node}"
            compiler.draft.add(
                f"{node} losses",
                "style_few",
                self._units,
                {**uses, "source": f"style {node}", "result": self._style},
                space=4 * PANEL * (shape.positions + PANEL + 2),
                backward=True,
                add=add,
                scale=1 / shape.true_size,
                second_scale=self._style_scale,
                third_scale=self._content_scale,
                **extents,
            )
            return
        compiler.draft.add(
            f"{node} losses",
            "style",
            self._units,
            {**uses, "weights": f"style error {node}"},
            space=4 * (self._block + 1) * shape.channels,
            positions=self._block,
            backward=True,
            add=add,
            scale=self._content_scale,
            **extents,
        )

    @property
    def sums(self) -> tuple[str, str]:
        """Names of the buffers of partial sums: of content, and of style."""
        return self._content, self._style

    @property
    def read(self) -> Callable[[Array, Array], tuple[float, float]]:
        """What tells both losses from their partial sums, and holds nothing else."""
        return functools.partial(_read, self._term, self._shape)


def _read(term: Term, shape: Map, content: Array, style: Array) -> tuple[float, float]:
    """Return content and style loss, from their partial sums."""
    weighted = term.style_weight * float(style.sum()) / shape.count**2
    if not term.has_content:
        return 0.0, weighted
    return term.content_weight * float(content.sum()) / shape.true_size, weighted
