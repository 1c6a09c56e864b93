"""Steps that go through a map once where several would, by kernels of whole warps.

The maps in front of the first poolings are the largest, and to read them takes longer
than what is computed of them beside convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainer_style.engines.arena import Part
from chainer_style.engines.cuda.kernels import GRAMS, PART, TAPPED, THREADS
from chainer_style.engines.cuda.nodes import KINDS, Back, Layers, filled
from chainer_style.engines.cuda.steps import BLOCKS, FLOAT, Argument, Launch, Units
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Node, Pool

WARPS = THREADS // 32
"""Of a block."""

FULL = 1 << 14
"""Positions of a map with which a large card is full: 16 for each of 1024 warps. With
fewer, products and poolings of their own are as good."""

OUTPUTS = 64
"""Channels of convolutions that there are kernels for."""

TILE = 16, 32
"""Rows and columns of a map that a block of ``conv_64`` computes at a time."""

PATCH = 4, 16
"""Those of one of its warps."""

ALONE = BLOCKS // 2
"""Blocks that each have a multiprocessor of a large card for themselves."""

LEAST = 120
"""Tiles with which these are busy."""

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
    units
        What kernels may multiply with; without matrix units there are none.

    Attributes
    ----------
    first
        The convolution that reads the picture, if there are kernels for it.
    """

    def __init__(self, network: Network, layers: Layers, units: Units) -> None:
        self._layers, self._units = layers, units
        seeing = [node for node in network.nodes if INPUT in node.inputs]
        known = units >= Units.MMA and len(seeing) == 1 and self._is_first(seeing[0])
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

    def end(self, gy: str, signs: str | None, scale: float) -> Launch:
        """Return what carries its gradient back to the picture.

        Parameters
        ----------
        gy
            The gradient.
        signs
            What masks it.
        scale
            Factor of the picture's.
        """
        _, height, width = self._layers.shape(INPUT)
        across = -(-width // INNER)
        bands = min(height, max(1, BLOCKS * WARPS // across))
        rows = -(-height // bands)
        ends = (gy, signs, f"filters {self._named()}", "slope")
        given = (*ends, height, width, rows, scale)
        strips = across * -(-height // rows)
        return Launch("first_back", given, strips, -(-strips // WARPS))

    def _named(self) -> str:
        assert self.first is not None
        return self.first.name

    # -- convolutions by warpgroups ----------------------------------------

    def is_grouped(self, node: Node) -> bool:
        """Whether there are kernels for a convolution that are faster than cuDNN's."""
        if self._units < Units.WGMMA or not isinstance(node, Conv):
            return False
        window = node.kernel, node.stride, node.pad, node.groups
        inputs = self._layers.shape(node.inputs[0]).channels
        known = (inputs, node.channels, *window) == (OUTPUTS, OUTPUTS, 3, 1, 1, 1)
        return known and self._tiles(node) >= LEAST

    def _tiles(self, node: Node) -> int:
        _, height, width = self._layers.shape(node.name)
        return -(-height // TILE[0]) * -(-width // TILE[1])

    def _shared(self) -> int:
        """Return the bytes that such a kernel has of filters, and twice of a map."""
        high, broad = TILE
        return 9 * OUTPUTS**2 * self._layers.bytes + 2 * (high + 2) * (broad + 2) * 64

    def convolution(self, node: Node, x: str, y: str, rectified: bool) -> Launch:
        """Return such a convolution; see `Layers.forward`."""
        name, (_, height, width) = node.name, self._layers.shape(node.name)
        ends = (x, f"filters {name}", f"bias {name}", y)
        given = (*ends, height, width, int(rectified))
        tiles = self._tiles(node)
        return Launch("conv_64", given, tiles, min(tiles, ALONE), shared=self._shared())

    def back(self, node: Node, gy: str, signs: str | None) -> Launch:
        """Return what carries the gradient of such a second convolution on, and back.

        That is, to ``patches`` of the gradient of the picture; it takes ``columns``.
        """
        _, height, width = self._layers.shape(INPUT)
        filters = f"turned {node.name}", signs, f"filters {self._named()}"
        given = (gy, *filters, "columns", "patches", height, width)
        tiles = self._tiles(node)
        return Launch(
            "conv_64_back", given, tiles, min(tiles, ALONE), shared=self._shared()
        )

    def room(self) -> dict[str, int]:
        """Return the buffers that `back` takes, with their bytes."""
        planes, height, width = self._layers.shape(INPUT)
        patches = -(-height // PATCH[0]) * -(-width // PATCH[1])
        own = planes * (PATCH[0] + 2) * (PATCH[1] + 2)
        columns = ALONE * 32 * OUTPUTS * self._layers.bytes
        return {"patches": FLOAT * patches * own, "columns": columns}

    def assemble(self, scale: float) -> Launch:
        """Return what makes the picture's gradient of patches."""
        planes, height, width = self._layers.shape(INPUT)
        given = ("patches", "slope", height, width, scale)
        return Launch("assemble", given, planes * height * width)

    # -- taps that poolings read -------------------------------------------

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
