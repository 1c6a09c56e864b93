"""The picture, moved by the compiled kernels of engine ``cpu``."""

from __future__ import annotations

import numpy as np

from chainer_style.engines.cpu import moving
from chainer_style.engines.cpu.draft import Draft, Map
from chainer_style.engines.cpu.plan import Plan
from chainer_style.engines.cpu.team import Team
from chainer_style.images import Canvas
from chainer_style.networks.regions import Region
from chainer_style.tiling import rows
from chainer_style.tiling.bands import Band
from chainer_style.tiling.picture import Array, Picture


class CompiledPicture(Picture):
    """A picture in single precision that threads move.

    Parameters
    ----------
    team
        The threads.
    start, height, band, canvas, epsilon, by_pixel
        See `Picture`.
    """

    def __init__(
        self,
        team: Team,
        start: Array,
        height: int,
        band: Band,
        canvas: Canvas,
        epsilon: float,
        *,
        by_pixel: bool,
    ) -> None:
        super().__init__(start, height, band, canvas, epsilon, by_pixel=by_pixel)
        self._team = team
        _, width, channels = start.shape
        own = band.bottom - band.top
        self._rows = Map(own, width, channels, channels, raw=True)
        bounds = [np.ravel(bound) for bound in self._bounds]
        self._limits = np.concatenate(bounds).astype(np.float32)

    def add(self, region: Region, gradient: Array) -> None:
        """Add a gradient to that of a window's pixels (see `Picture`)."""
        rows.add(self._team, self.gradient[self._held(region)], gradient)

    def vary(self, weight: float) -> float:
        """Return the weighted total variation (see `Picture`)."""
        draft, band = Draft(), self._band
        moving.vary(
            draft,
            self._rows,
            self._height,
            weight,
            "gradient",
            above=band.top > 0,
            below=band.bottom < self._height,
        )
        plan = self._run(draft, {})
        return float(plan.sums(moving.VARIATION).sum())

    def move(self, rate: float) -> None:
        """Let Adam follow the gradient, and clip (see `Picture`)."""
        draft = Draft()
        moving.move(
            draft,
            self._rows,
            self._team.threads,
            self._epsilon,
            "gradient",
            by_pixel=self._by_pixel,
        )
        first, second = self.moments
        arrays = {
            "first moment": first,
            "second moment": second,
            "rate": np.array([rate]),
            "bounds": self._limits,
        }
        self._run(draft, arrays)

    def _run(self, draft: Draft, arrays: dict[str, Array]) -> Plan:
        """Run steps on the band's own rows."""
        own = self._band.own
        arrays |= {"picture": self.pixels[own], "gradient": self.gradient[own]}
        addresses = {name: array.ctypes.data for name, array in arrays.items()}
        # No step here reads these.
        addresses |= {"zeros": 0, "ones": 0}
        plan = Plan(draft, self._team, addresses)
        plan.run()
        return plan
