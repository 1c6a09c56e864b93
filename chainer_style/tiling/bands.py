"""Which rows of the picture a rank owns, and which it shares with its neighbours."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from chainer_style.errors import UserError
from chainer_style.networks import Network
from chainer_style.tiling.grid import Grid
from chainer_style.tiling.ranks import Alone, Ranks


@dataclass(frozen=True)
class Band:
    """The rows of one rank, counted from the top of the picture.

    Attributes
    ----------
    ranks
        All of them.
    top, bottom
        The first of its own rows, and the first behind them.
    first, last
        The first row that its own features depend on, and the first behind these.
    above, below
        How many of its own rows the rank above, or below, depends on.
    """

    ranks: Ranks
    top: int
    bottom: int
    first: int
    last: int
    above: int = 0
    below: int = 0

    @property
    def own(self) -> slice:
        """Its own rows among those that it holds."""
        return slice(self.top - self.first, self.bottom - self.first)

    @classmethod
    def of(
        cls,
        network: Network,
        height: int,
        width: int,
        ranks: Ranks | None = None,
        unit: int = 1,
    ) -> Band:
        """Return a rank's band of a picture; without ranks, all of it.

        Parameters
        ----------
        network
            Up to its taps.
        height, width
            Of the picture.
        ranks
            All of them.
        unit
            See `Grid`.

        Raises
        ------
        UserError
            If there are so many ranks that one of them would see beyond its
            neighbours.
        """
        ranks = ranks or Alone()
        step = Grid(network, height, width, max(height, width), unit=unit).step
        count = -(-height // step)
        cuts = [
            min(count * number // ranks.count * step, height)
            for number in range(ranks.count + 1)
        ]
        spans = list(itertools.pairwise(cuts))
        seen = [_seen(network, height, width, span) for span in spans]
        for (top, bottom), (first, last) in zip(spans, seen, strict=True):
            before = max([cut for cut in cuts if cut < top], default=0)
            behind = min([cut for cut in cuts if cut > bottom], default=height)
            if top == bottom or first < before or last > behind:
                raise UserError(
                    f"{ranks.count} ranks are too many for {height} rows of pixels: "
                    "bands would be thinner than their margins; start fewer"
                )
        own = ranks.number
        top, bottom = spans[own]
        above = seen[own - 1][1] - top if own else 0
        below = bottom - seen[own + 1][0] if own + 1 < ranks.count else 0
        return cls(ranks, top, bottom, *seen[own], above, below)


def _seen(
    network: Network, height: int, width: int, rows: tuple[int, int]
) -> tuple[int, int]:
    """Return the rows that some rows' features depend on, themselves included.

    With the rows next to them, which the total variation sees.
    """
    tiles = Grid(network, height, width, max(height, width), rows).tiles
    top, bottom = rows
    return (
        min([max(top - 1, 0), *(tile.window.top for tile in tiles)]),
        max([min(bottom + 1, height), *(tile.window.bottom for tile in tiles)]),
    )
