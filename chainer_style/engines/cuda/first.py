"""The convolutions next to the picture, by kernels of their own.

Of their maps, which are as large as the picture and of 64 channels, what is done beside
products takes the most time; cuDNN's kernels pass through them once more than these.
"""

from __future__ import annotations

from chainer_style.engines.cuda.kernels import THREADS, WARPS
from chainer_style.engines.cuda.nodes import Layers
from chainer_style.engines.cuda.steps import BLOCKS, FLOAT, Argument, Launch, Units
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Dropout, Node, ReLU

OUTPUTS = 64
"""Channels of convolutions that there are kernels for."""

GROUPS = THREADS // 128
"""Of four warps, in a block."""

TILE = 16, 16
"""Rows and columns of a map that a group of ``conv_64`` computes at a time."""

PATCH = 4, 16
"""Those of one of its warps."""

LEAST = 240
"""Tiles with which a large card is busy."""

ALONE = BLOCKS // 2
"""Blocks that each have a multiprocessor of such a card for themselves."""

INNER = 14
"""Columns of a picture of which a warp has the gradient (``kernels/first.cu``)."""


class First:
    """The steps of the convolution that reads the picture, and of the one behind it.

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
    node
        The convolution that reads the picture, if there are kernels for it.
    """

    def __init__(self, network: Network, layers: Layers, units: Units) -> None:
        self._layers, self._units = layers, units
        seeing = [node for node in network.nodes if INPUT in node.inputs]
        known = units >= Units.MMA and len(seeing) == 1 and self._is_known(seeing[0])
        self.node = seeing[0] if known else None
        # Maps that are stored as matrix units read them: wgmma would cut off the rest.
        self._rounded = {self.node.name} if self.node is not None else set()
        for node in network.nodes:
            if isinstance(node, (ReLU, Dropout)) and node.inputs[0] in self._rounded:
                self._rounded.add(node.name)

    def _is_known(self, node: Node) -> bool:
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
        assert self.node is not None
        return self.node.name

    # -- convolutions by warpgroups ----------------------------------------

    def is_grouped(self, node: Node) -> bool:
        """Whether a convolution behind the first has kernels faster than cuDNN's."""
        if self._units < Units.WGMMA or not isinstance(node, Conv):
            return False
        if node.inputs[0] not in self._rounded:
            return False
        window = node.kernel, node.stride, node.pad, node.groups
        inputs = self._layers.shape(node.inputs[0]).channels
        known = (inputs, node.channels, *window) == (OUTPUTS, OUTPUTS, 3, 1, 1, 1)
        return known and self._tiles(node) >= LEAST

    def _tiles(self, node: Node) -> int:
        _, height, width = self._layers.shape(node.name)
        return -(-height // TILE[0]) * -(-width // TILE[1])

    def convolution(self, node: Node, x: str, y: str, rectified: bool) -> Launch:
        """Return such a convolution; see `Layers.forward`."""
        name, (_, height, width) = node.name, self._layers.shape(node.name)
        ends = (x, f"filters {name}", f"bias {name}", y)
        given = (*ends, height, width, int(rectified))
        return self._grouped("conv_64", given, self._tiles(node))

    def back(self, node: Node, gy: str, signs: str | None) -> Launch:
        """Return what carries the gradient of such a second convolution on, and back.

        That is, to ``patches`` of the gradient of the picture; it takes ``columns``.
        """
        _, height, width = self._layers.shape(INPUT)
        filters = f"turned {node.name}", signs, f"filters {self._named()}"
        given = (gy, *filters, "columns", "patches", height, width)
        return self._grouped("conv_64_back", given, self._tiles(node))

    def _grouped(self, kernel: str, given: tuple[Argument, ...], tiles: int) -> Launch:
        """Return a kernel of blocks that share all filters.

        Beside these, each group has two parts of a map.
        """
        high, broad = TILE
        room = 2 * GROUPS * (high + 2) * (broad + 2) * 64
        shared = 9 * OUTPUTS**2 * self._layers.bytes + room
        blocks = min(-(-tiles // GROUPS), ALONE)
        return Launch(kernel, given, tiles, blocks, shared)

    def room(self) -> dict[str, int]:
        """Return the buffers that `back` takes, with their bytes."""
        planes, height, width = self._layers.shape(INPUT)
        patches = -(-height // PATCH[0]) * -(-width // PATCH[1])
        own = planes * (PATCH[0] + 2) * (PATCH[1] + 2)
        columns = ALONE * 32 * OUTPUTS * self._layers.bytes
        return {"patches": FLOAT * patches * own, "columns": columns}

    def assemble(self, scale: float) -> Launch:
        """Return what makes the picture's gradient of patches."""
        _, height, width = self._layers.shape(INPUT)
        given = ("patches", "slope", height, width, scale)
        return Launch("assemble", given, height * width)
