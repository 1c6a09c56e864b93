"""How long an iteration takes several ranks: a model of what they compute and send."""

from __future__ import annotations

from dataclasses import dataclass

from chainer_style.errors import UserError
from chainer_style.networks import INPUT, Network
from chainer_style.tiling.bands import Band
from chainer_style.tiling.budget import Cut, Extents, Layout, Side
from chainer_style.tiling.ranks import Alone

FLOAT, DOUBLE = 4, 8
"""Bytes of a number."""

SIDE = 1024
"""Pixels of a tile: what is large enough for margins to matter little."""


class _Other(Alone):
    """A rank as it would be among others."""

    def __init__(self, number: int, count: int) -> None:
        super().__init__()
        self.number, self.count = number, count


@dataclass(frozen=True)
class Link:
    """What connects ranks.

    Attributes
    ----------
    bandwidth
        Bytes per second from one rank to another.
    latency
        Seconds that a message takes beside.
    """

    bandwidth: float
    latency: float


@dataclass(frozen=True)
class Model:
    """A transfer, to be computed by any number of ranks.

    Attributes
    ----------
    network
        What is computed, up to its taps.
    height, width
        Of the picture.
    side
        Pixels of a tile.
    """

    network: Network
    height: int
    width: int
    side: int = SIDE

    def share(self, count: int) -> float:
        """Return the work of the rank that has most to do, over that of one alone.

        Raises
        ------
        UserError
            If there are too many ranks.
        """
        # Ranks in the middle have two margins; the rows are shared out by eights.
        tried = {0, count // 2, count - 1}
        own = max(self._work(count, number) for number in tried)
        return own / self._work(1, 0)

    def _work(self, count: int, number: int) -> float:
        band = Band.of(self.network, self.height, self.width, _Other(number, count))
        size = self.height, self.width
        extents = Extents(size, size, (band.top, band.bottom))
        side = Side(self.network, extents, self.side, threads=1)
        return Cut(side, Layout(self.side, again=0, on_disk=False)).seconds

    def sent(self, count: int) -> float:
        """Return the bytes that a rank in the middle sends in an iteration.

        Margins of the gradient and of the picture to either side, and its part of two
        passes of a ring that sums the Gram matrices.
        """
        if count == 1:
            return 0
        band = Band.of(self.network, self.height, self.width, _Other(count // 2, count))
        rows = (band.top - band.first) + (band.last - band.bottom)
        rows += band.above + band.below
        channels = self.network.shapes(self.height, self.width)[INPUT].channels
        margins = rows * self.width * channels * FLOAT
        return margins + 2 * DOUBLE * self.matrices * (count - 1) / count

    @property
    def matrices(self) -> int:
        """Numbers of all Gram matrices."""
        shapes = self.network.shapes(self.height, self.width)
        return sum(shapes[tap.node].channels ** 2 for tap in self.network.taps)

    def seconds(self, alone: float, count: int, link: Link) -> float | None:
        """Predict an iteration.

        Parameters
        ----------
        alone
            Seconds of one rank's.
        count
            Number of ranks.
        link
            What connects them.

        Returns
        -------
        float or None
            None where bands would be thinner than their margins.
        """
        try:
            share = self.share(count)
        except UserError:
            return None
        messages = 4 + 4 * (count - 1).bit_length()
        sending = self.sent(count) / link.bandwidth + messages * link.latency
        return alone * share + (sending if count > 1 else 0)
