"""Steps that go once through a tap that a pooling reads, where several would.

The maps in front of the first poolings are the largest, and to read them takes longer
than what is computed of them beside convolutions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from chainer_style.engines.arena import Part
from chainer_style.engines.cuda.kernels import (
    GRAMS,
    PART,
    PARTS,
    SIDE,
    STAGES,
    TAPPED,
    WARPS,
)
from chainer_style.engines.cuda.nodes import KINDS, Back, Layers, filled
from chainer_style.engines.cuda.steps import BLOCKS, FLOAT, Argument, Launch, Units
from chainer_style.networks import Network
from chainer_style.networks.nodes import Pool
from chainer_style.networks.regions import Region

FULL = 1 << 14
"""Positions of a map with which a large card is full: 16 for each of 1024 warps. With
fewer, products and poolings of their own are as good."""

ACROSS = 8
"""Positions along a row that a warp of ``gram_C`` sums at once, of two rows."""


@dataclass(frozen=True)
class Content:
    """A content loss at a tap.

    Attributes
    ----------
    features
        Those it compares with.
    slope
        Factor of the differences in the gradient.
    partial
        Where each block leaves its sum of their squares.
    """

    features: str
    slope: float
    partial: Part


class OnePass:
    """The steps that there are, by kernels of whole warps.

    Parameters
    ----------
    layers
        Steps of a network's nodes.
    units
        What kernels may multiply with; without matrix units there are none.
    """

    def __init__(self, layers: Layers, units: Units) -> None:
        self._layers, self._units = layers, units

    def _is_full(self, node: Pool) -> bool:
        return (
            self._units >= Units.MMA and self._layers.positions(node.inputs[0]) >= FULL
        )

    def has_tapped(self, node: Pool) -> bool:
        """Whether a kernel gives all of the gradient of a tap that a pooling reads."""
        simple = node.kind in ("average", "max") and node.pad == 0
        apart = node.kernel == node.stride
        known = simple and apart and self._layers.channels(node.name) in TAPPED
        return known and self._is_full(node)

    def tapped(
        self, node: Pool, tap: str, given: Back, content: Content | None, own: Region
    ) -> Launch:
        """Return the step that gives all of the gradient of such a tap.

        Parameters
        ----------
        node
            The pooling.
        tap
            What it reads.
        given
            What the pooling carries back.
        content
            The loss there, if there is one, of the positions that count.
        own
            Those of which there are losses.
        """
        layers, channels = self._layers, self._layers.channels(node.name)
        chosen = next(iter(layers.beside(node)), None)
        height, width, y_height, y_width, *_ = layers.window(node)
        extents = height, width, y_height, y_width, node.kernel, KINDS[node.kind]
        features: Argument = content.features if content else None
        partial: Argument = content.partial if content else None
        ends = (given.x, f"error {tap}", given.gy, chosen, features, given.gx, partial)
        slope = content.slope if content else 0.0
        return Launch(
            f"tapped_{channels}",
            (*ends, *extents, *own, slope, given.stops),
            height * width * channels,
            BLOCKS,
            shared=PART * channels * layers.bytes,
        )

    def has_gram(self, node: Pool) -> bool:
        """Whether a kernel gives the Gram matrix of what a pooling reads, and pools."""
        simple = node.kind in ("average", "max") and node.pad == 0
        halves = node.kernel == node.stride == 2
        known = self._layers.channels(node.name) in GRAMS
        return simple and halves and known and self._is_full(node)

    def gram(
        self,
        node: Pool,
        x: str,
        y: str,
        tap: str,
        rectified: bool,
        own: Region,
        adding: bool,
    ) -> tuple[Launch, Launch]:
        """Return the steps of a pooling, and of the Gram matrix of what it reads.

        Parameters
        ----------
        node
            The pooling.
        x, y
            Maps of its input and its output.
        tap
            What it reads.
        rectified
            Whether it rectifies that first.
        own
            The positions that count for the matrix; they begin and end at multiples of
            `ACROSS`, or where the map does.
        adding
            Whether it is added to what is there.
        """
        layers, channels = self._layers, self._layers.channels(node.name)
        count = channels**2
        chosen = next(iter(layers.beside(node)), None)
        height, width, y_height, y_width, *_ = layers.window(node)
        extents = height, width, y_height, y_width, KINDS[node.kind], int(rectified)
        parts, numbers = f"parts {tap}", (count, BLOCKS, int(adding))
        sets = WARPS // GRAMS[channels]
        room = sets * STAGES * 2 * ACROSS * channels * layers.bytes
        shared = max(room, PARTS * SIDE * (SIDE + 1) * FLOAT)
        return (
            Launch(
                f"gram_{channels}",
                (x, y, chosen, parts, *extents, *own),
                height * width,
                BLOCKS,
                shared,
            ),
            Launch("gather", (parts, f"gram {tap}", *numbers), count, count // 32),
        )

    def parts(self, node: Pool) -> int:
        """Return the bytes of the Gram matrices that blocks leave."""
        return FLOAT * BLOCKS * self._layers.channels(node.name) ** 2


def unit(network: Network) -> int:
    """Return the pixels at whose multiples tiles have to begin for these steps."""
    channels = network.shapes(*[network.minimum_size()] * 2)
    strides = [
        network.receptive_field(tap.node).stride
        for tap in network.taps
        if filled(channels[tap.node].channels) in GRAMS
    ]
    return math.lcm(1, *(ACROSS * stride for stride in strides))
