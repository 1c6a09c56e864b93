"""The losses of a problem as the numbers that a plan's kernels take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainer_style.engines.base import Losses
from chainer_style.engines.static.objective import tap_weights
from chainer_style.networks import Tap
from chainer_style.networks.nodes import Shape
from chainer_style.protocols import Protocol


@dataclass(frozen=True)
class TapTerms:
    """The losses at one tap.

    Attributes
    ----------
    tap
        Which one.
    shape
        Of its features.
    content, style
        Weights of the mean squares; see `tap_weights`.
    """

    tap: Tap
    shape: Shape
    content: float
    style: float

    @property
    def mean(self) -> float:
        """What makes a Gram matrix of the sum of products."""
        return 1 / self.shape.size

    @property
    def style_slope(self) -> float:
        """Factor of features times the Gram matrix' errors in the gradient.

        The derivative of a mean of squares, through F F^T, which counts twice.
        """
        return 4 * self.style_value / self.shape.size

    @property
    def style_value(self) -> float:
        """Factor of the sum of the squares of the Gram matrix' errors."""
        return self.style / self.shape.channels**2

    @property
    def content_slope(self) -> float:
        """Factor of the features' differences in the gradient."""
        return 2 * self.content_value

    @property
    def content_value(self) -> float:
        """Factor of the sum of the squares of these differences."""
        return self.content / self.shape.size


class Objective:
    """All losses of a problem.

    Parameters
    ----------
    protocol
        Every setting.
    taps, shapes
        Where they are, and the shapes of features by node.
    energies
        By tap, the mean squares of the content's features and of the style's Gram
        matrix, which relative losses are divided by.
    scale
        What gradients are multiplied with on their way, so that numbers of few bits
        can tell them from zero.
    """

    def __init__(
        self,
        protocol: Protocol,
        taps: Sequence[Tap],
        shapes: Mapping[str, Shape],
        energies: Mapping[str, tuple[float, float]],
        scale: float = 1.0,
    ) -> None:
        self.variation = protocol.tv_weight
        self.scale = scale
        self.taps = [
            TapTerms(
                tap,
                shapes[tap.node],
                *tap_weights(protocol, tap, *energies[tap.node], len(taps)),
            )
            for tap in taps
        ]

    @property
    def terms(self) -> list[tuple[str, str]]:
        """Kind and node of every loss, in the order in which they are told."""
        content = [("content", t.tap.node) for t in self.taps if t.tap.content]
        style = [("style", t.tap.node) for t in self.taps]
        return [*content, *style, *([("variation", "")] if self.variation else [])]

    @property
    def weights(self) -> list[float]:
        """Factor of what the kernels sum, of every term."""
        found = {("variation", ""): 1.0}
        for terms in self.taps:
            found["content", terms.tap.node] = terms.content_value
            found["style", terms.tap.node] = terms.style_value
        return [found[term] for term in self.terms]

    def losses(self, values: Sequence[float]) -> Losses:
        """Return the losses of the values of all terms."""
        found = dict(zip(self.terms, map(float, values), strict=True))
        content = tuple(found.get(("content", t.tap.node), 0.0) for t in self.taps)
        style = tuple(found["style", t.tap.node] for t in self.taps)
        variation = found.get(("variation", ""), 0.0)
        return Losses(sum(content) + sum(style) + variation, content, style, variation)
