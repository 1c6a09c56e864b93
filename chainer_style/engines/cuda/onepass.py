"""Steps that go through a map once where several would, by kernels of whole warps.

The maps in front of the first poolings are the largest, and to read them takes longer
than what is computed of them beside convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainer_style.engines.arena import Part
from chainer_style.engines.cuda.kernels import GRAMS, PART, TAPPED, THREADS
from chainer_style.engines.cuda.nodes import KINDS, Back, Layers, filled
from chainer_style.engines.cuda.steps import BLOCKS, FLOAT, Argument, Launch
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Node, Pool

WARPS = THREADS // 32
"""Of a block."""

FULL = 1 << 14
"""Positions of a map with which a large card is full: 16 for each of 1024 warps. With
fewer, products and poolings of their own are as good."""

OUTPUTS = 64
"""Channels of a first convolution that there is a kernel for."""

INNER = 14
"""Columns of a picture of which a warp has the gradient (``kernels/first.cu``)."""


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
    """The steps that there are of a network's maps.

    Parameters
    ----------
    network
        Up to its taps.
    layers
        Steps of its nodes.
    has_mma
        Whether kernels may multiply by matrix units; else there are none.

    Attributes
    ----------
    first
        The convolution that reads the picture, if there are kernels for it.
    """

    def __init__(self, network: Network, layers: Layers, *, has_mma: bool) -> None:
        self._layers, self._has_mma = layers, has_mma
        seeing = [node for node in network.nodes if INPUT in node.inputs]
        known = has_mma and len(seeing) == 1 and self._is_first(seeing[0])
        self.first = seeing[0] if known else None

    def _is_first(self, node: Node) -> bool:
        if not isinstance(node, Conv) or self._layers.shape(INPUT).channels != 3:
            return False
        window = node.kernel, node.stride, node.pad, node.groups
        return node.channels == OUTPUTS and window == (3, 1, 1, 1)

    def signs(self) -> int:
        """Return the bytes of what the first convolution keeps of its mask."""
        return self._layers.positions(INPUT) * OUTPUTS // 8

    def begin(self, y: str, signs: str | None) -> Launch:
        """Return the first convolution.

        Parameters
        ----------
        y
            Its output.
        signs
            Where it is above zero, if it is rectified.
        """
        name, (_, height, width) = self._named(), self._layers.shape(INPUT)
        given = ("picture", f"filters {name}", f"bias {name}", y, signs, "counter")
        tiles = -(-width // 16) * height
        blocks = min(BLOCKS, -(-tiles // WARPS))
        numbers = (height, width, int(signs is not None))
        return Launch("first", (*given, *numbers), tiles, blocks)

    def end(self, gy: str, signs: str | None, gx: str) -> Launch:
        """Return what carries its gradient back, to a picture of planes."""
        _, height, width = self._layers.shape(INPUT)
        across = -(-width // INNER)
        bands = min(height, max(1, BLOCKS * WARPS // across))
        rows = -(-height // bands)
        given = (gy, signs, f"filters {self._named()}", gx, height, width, rows)
        strips = across * -(-height // rows)
        return Launch("first_back", given, strips, -(-strips // WARPS))

    def _named(self) -> str:
        assert self.first is not None
        return self.first.name

    # -- taps that poolings read -------------------------------------------

    def _is_full(self, node: Pool) -> bool:
        return self._has_mma and self._layers.positions(node.inputs[0]) >= FULL

    def has_tapped(self, node: Pool) -> bool:
        """Whether a kernel gives all of the gradient of a tap that a pooling reads."""
        simple = node.kind in ("average", "max") and node.pad == 0
        apart = node.kernel == node.stride
        known = simple and apart and self._layers.channels(node.name) in TAPPED
        return known and self._is_full(node)

    def tapped(
        self, node: Pool, tap: str, given: Back, content: Content | None
    ) -> Launch:
        """Return the step that gives all of the gradient of such a tap."""
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
            (*ends, *extents, slope, given.stops),
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
        self, node: Pool, x: str, y: str, tap: str, rectified: bool
    ) -> tuple[Launch, Launch]:
        """Return the steps of a pooling, and of the Gram matrix of what it reads."""
        layers, channels = self._layers, self._layers.channels(node.name)
        count = channels**2
        chosen = next(iter(layers.beside(node)), None)
        height, width, y_height, y_width, *_ = layers.window(node)
        extents = height, width, y_height, y_width, KINDS[node.kind], int(rectified)
        parts = f"parts {tap}"
        return (
            Launch(
                f"gram_{channels}",
                (x, y, chosen, parts, *extents),
                height * width,
                BLOCKS,
            ),
            Launch("gather", (parts, f"gram {tap}", count, BLOCKS), count, count // 32),
        )

    def parts(self, node: Pool) -> int:
        """Return the bytes of the Gram matrices that blocks leave."""
        return FLOAT * BLOCKS * filled(self._layers.channels(node.name)) ** 2
