"""The picture, its gradient and Adam's moments on a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainer_style.engines.cuda import moving
from chainer_style.engines.cuda.machine import Machine, Run
from chainer_style.engines.cuda.steps import BLOCKS, FLOAT, Launch, Program
from chainer_style.images import Canvas
from chainer_style.networks.regions import Region
from chainer_style.tiling.bands import Band
from chainer_style.tiling.picture import Array, Kind, Picture


@dataclass(frozen=True)
class Patch:
    """A window of a picture that is on a device.

    Attributes
    ----------
    bring
        Copies it to an address, plane by plane.
    """

    bring: Callable[[int], None]


class CudaPicture(Picture):
    """A picture that a device moves; all arrays that are asked for are copies.

    Rows of neighbours are moved, too, and then theirs are taken.

    Parameters
    ----------
    machine
        The device.
    start, height, band, canvas, epsilon, by_pixel
        See `Picture`.
    """

    def __init__(
        self,
        machine: Machine,
        start: Array,
        height: int,
        band: Band,
        canvas: Canvas,
        epsilon: float,
        *,
        by_pixel: bool,
    ) -> None:
        self._machine = machine
        self._rows, self._width, self._planes = start.shape
        names = ("picture", "slope", "first", "second")
        self._addresses = {n: machine.allocate(FLOAT * start.size) for n in names}
        bounds = moving.bounds(canvas, self._planes, by_pixel=by_pixel)
        self._addresses |= {
            "bounds": machine.hold(bounds),
            "corner": machine.allocate(FLOAT),
            "counter": machine.allocate(FLOAT),
            "rates": machine.allocate(FLOAT),
            "partial": machine.allocate(FLOAT * BLOCKS),
        }
        self._runs: dict[Any, Run] = {}
        super().__init__(start, height, band, canvas, epsilon, by_pixel=by_pixel)

    # -- arrays --------------------------------------------------------------

    def _read(self, name: str) -> Array:
        """Return a copy of all rows of an array."""
        shape = self._planes, self._rows, self._width
        planes = self._machine.fetch(self._addresses[name], shape, np.float32)
        return planes.transpose(1, 2, 0)

    def _write(self, name: str, array: Array) -> None:
        planes = np.ascontiguousarray(array.transpose(2, 0, 1), np.float32)
        self._machine.write(self._addresses[name], planes)

    @property
    def pixels(self) -> Array:
        """The picture as it stands."""
        return self._read("picture")

    @pixels.setter
    def pixels(self, pixels: Array) -> None:
        self._write("picture", pixels)

    @property
    def gradient(self) -> Array:
        """The gradient, of the pixels' shape."""
        return self._read("slope")

    @property
    def moments(self) -> tuple[Array, Array]:
        """Adam's moments of the band's own rows."""
        own = self._band.own
        return self._read("first")[own], self._read("second")[own]

    def restore(self, pixels: Array, first: Array, second: Array) -> None:
        """Go on from a picture and from moments (see `Picture`)."""
        self.pixels = pixels
        for name, own in (("first", first), ("second", second)):
            whole = np.zeros(pixels.shape, np.float32)
            whole[self._band.own] = own
            self._write(name, whole)

    # -- windows -------------------------------------------------------------

    def window(self, region: Region) -> Patch:  # type: ignore[override]
        """Return a window; what of it the band does not hold is zero."""
        return Patch(lambda address: self._window("cut", "picture", region, address))

    def add(self, region: Region, gradient: Any) -> None:
        """Add the gradient of a window's pixels, which is at an address."""
        self._window("put_back", "slope", region, gradient)

    def _window(self, kernel: str, name: str, region: Region, address: int) -> None:
        """Copy a window out of an array, or add it to one."""
        first = self._band.first
        place = region.top - first, region.left, region.height, region.width
        extents = self._rows, self._width, self._planes
        count = self._planes * region.height * region.width
        ends = (name, "window") if kernel == "cut" else ("window", name)
        launch = Launch(kernel, (*ends, *extents, *place), count)
        self._run((kernel, region, address), [launch], {"window": address})

    def clear(self) -> None:
        """Let the gradient be zero (see `Picture`)."""
        count = self._planes * self._rows * self._width
        self._run("clear", [Launch("clear", ("slope", count), count)], {})

    # -- steps ---------------------------------------------------------------

    def vary(self, weight: float) -> float:
        """Return the weighted total variation (see `Picture`); waits for it."""
        own, planes = self._band.own, self._planes
        numbers = moving.variation(weight, planes, self._height, self._width)
        extents = self._rows, self._width, planes, own.start, own.stop
        given = ("picture", "slope", "partial", *extents, *numbers)
        count = planes * (own.stop - own.start) * self._width
        self._run("vary", [Launch("vary", given, count, BLOCKS)], {})
        place = self._addresses["partial"]
        return float(self._machine.fetch(place, (BLOCKS,), np.float32).sum(dtype=float))

    def move(self, rate: float) -> None:
        """Let Adam follow the gradient, and clip (see `Picture`)."""
        self._machine.write(self._addresses["rates"], np.array([rate], np.float32))
        extents = self._planes, self._rows * self._width
        steps = moving.moving(*extents, self._epsilon, by_pixel=self._by_pixel)
        self._run("move", steps, {})

    def _run(self, key: Any, steps: Sequence[Launch], given: dict[str, int]) -> None:
        if key not in self._runs:
            addresses = {**self._addresses, **given}
            program = Program(tuple(steps), {})
            self._runs[key] = self._machine.prepared(program, addresses)
        self._runs[key]()

    # -- neighbours ----------------------------------------------------------

    def _some(self, kind: Kind, rows: slice) -> Array:
        """Return some rows (see `Picture`)."""
        return np.stack(
            [
                self._machine.fetch(place, shape, np.float32)
                for place, shape in self._places(kind, rows)
            ],
            axis=2,
        )

    def _set(self, kind: Kind, rows: slice, values: Array) -> None:
        """Have other values in some rows (see `Picture`)."""
        for plane, (place, _) in enumerate(self._places(kind, rows)):
            self._machine.write(place, np.ascontiguousarray(values[:, :, plane]))

    def _places(self, kind: Kind, rows: slice) -> Iterator[tuple[int, tuple[int, int]]]:
        """Yield where some rows of each plane lie, and their shape."""
        start, stop, _ = rows.indices(self._rows)
        address = self._addresses["picture" if kind == "pixels" else "slope"]
        for plane in range(self._planes):
            first = (plane * self._rows + start) * self._width
            yield address + FLOAT * first, (stop - start, self._width)
