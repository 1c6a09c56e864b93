"""From a problem and some memory to the engine that computes it."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from chainer_style import engines, memory
from chainer_style.engines.base import Device, Engine, Precision, Problem
from chainer_style.errors import UserError
from chainer_style.networks import Network
from chainer_style.protocols import Protocol
from chainer_style.tiling.bands import Band
from chainer_style.tiling.base import Tiles
from chainer_style.tiling.content import Content, ContentOnDisk
from chainer_style.tiling.engine import TiledEngine
from chainer_style.tiling.grid import Grid
from chainer_style.tiling.ranks import Alone, Ranks
from chainer_style.tiling.targets import Maker

if TYPE_CHECKING:
    from chainer_style.tiling import budget

RESERVE = 0.1
"""Share of free memory that is left to others, where no budget is given."""

Sizes = tuple[tuple[int, int], tuple[int, int]]
"""Height and width of a content picture, and of a style picture."""

SLACK = 32 << 20
"""Bytes beside what is counted: what libraries take as they work."""


@dataclass(frozen=True)
class Limits:
    """What a user says about tiles.

    Attributes
    ----------
    memory
        Bytes that the process may take in all; None: what is free, less a reserve.
    tile
        Pixels of a tile; None: as many as fit.
    checkpoints
        Whether they are saved, which takes memory.
    ranks
        Who computes it together.
    """

    memory: int | None = None
    tile: int | None = None
    checkpoints: bool = False
    ranks: Ranks = field(default_factory=Alone)

    def check(self, protocol: Protocol, engine: str = "auto") -> None:
        """Refuse what cannot be.

        Parameters
        ----------
        protocol
            Every setting.
        engine
            See `create`.

        Raises
        ------
        UserError
            Naming it.
        """
        if self.tile is not None and self.tile < 1:
            raise UserError(f"tiles of {self.tile} pixels; choose 1 or more")
        if self.memory is not None and engine == "cuda":
            raise UserError(
                "the engine 'cuda' takes what its GPU has free; leave --memory out, "
                "or choose --tile"
            )
        if self.memory is not None and engine not in ("auto", "cpu"):
            raise UserError(
                f"the engine {engine!r} predicts no memory; leave --memory out and "
                "choose --tile, or take --engine cpu"
            )
        if self.ranks.count > 1 and protocol.pixelwise_clip:
            raise UserError(
                f"{protocol.title} clips as the picture's first pixel says, which "
                "several ranks cannot; leave --mpi out, or take --protocol modern"
            )


def create(
    name: str,
    problem: Problem,
    device: Device,
    precision: Precision | None = None,
    watch: engines.Watch = iter,
    limits: Limits = Limits(),
    held: int = 0,
    last: Sizes | None = None,
) -> Engine:
    """Return an engine for a problem, in tiles where it must or shall be.

    Parameters
    ----------
    name, problem, device, precision, watch
        See `engines.create`.
    limits
        Of memory and tiles. Without any, engines ``cpu`` and ``cuda`` take tiles where
        the picture would need more than there is; the others compute it as a whole.
    held
        Bytes of a state that the engine is to go on from, beside the problem's own
        pictures: they are let go of once it has.
    last
        Of a scale that others follow: height and width of content and style at the
        last one. What engine ``cpu`` will not find room for then is refused now.

    Raises
    ------
    UserError
        If it does not fit, however it is cut.
    """
    engines.check(name, device)
    longest, ranks = max(problem.content.shape[2:]), limits.ranks
    side = limits.tile or longest
    whole = side >= longest and ranks.count == 1
    if name == "auto":
        name = engines.fastest(problem.protocol, device, precision)
    limits.check(problem.protocol, name)
    engines.check_precision(name, precision)
    if name == "cpu":
        return _on_kernels(problem, device, precision, watch, limits, held, last)
    if name == "cuda":
        from chainer_style.engines.cuda.device import CudaDevice
        from chainer_style.tiling.cuda import create as of_cuda

        machine = CudaDevice(device, precision, watch)
        return of_cuda.create(problem, machine, ranks, limits.tile)
    if whole:
        return engines.create(name, problem, device, precision, watch)
    precision = precision or engines.KNOWN[name][0]
    make = _plain(name, problem, device, precision)
    dtype = np.dtype(precision)
    return TiledEngine(name, problem, make, side, Content(), dtype, ranks)


def _on_kernels(
    problem: Problem,
    device: Device,
    precision: Precision | None,
    watch: engines.Watch,
    limits: Limits,
    held: int,
    last: Sizes | None,
) -> Engine:
    """Return engine ``cpu``, as a whole if that fits."""
    from chainer_style.engines.cpu import compiled
    from chainer_style.engines.cpu.engine import check_precision

    precision = precision or engines.KNOWN["cpu"][0]
    check_precision(precision)
    compiled.load(watch)
    memory.trim()  # of what was needed to get here
    half = precision == "bf16"
    own = max(memory.resident() - held - _nbytes(problem), 0) + SLACK
    if last is not None:
        moments = 2 * 3 * 4 * math.prod(last[0])
        _cut(problem, *last, device, half, limits, own, moments)
    sizes = problem.content.shape[2:], problem.style.shape[2:]
    cut = _cut(problem, *sizes, device, half, limits, own, held)
    if cut is None:
        return engines.create("cpu", problem, device, precision, watch)
    return tiled(problem, cut, device.cores, limits.ranks)


def _cut(
    problem: Problem,
    content: tuple[int, int],
    style: tuple[int, int],
    device: Device,
    half: bool,
    limits: Limits,
    own: int,
    held: int,
) -> budget.Cut | None:
    """Return how pictures of some height and width are cut; None: they are not.

    The process has so many bytes of its own, beside a state that is handed over.
    """
    from chainer_style.tiling import budget

    side, ranks, rows = limits.tile, limits.ranks, None
    if ranks.count > 1:
        band = Band.of(problem.network, *content, ranks)
        rows = band.top, band.bottom
    extents = budget.Extents(content, style, rows)
    saving = budget.CHECKPOINT if limits.checkpoints else budget.SNAPSHOT
    company = budget.Company(own, held, saving)
    there = allowed(limits)
    whole = budget.untiled(
        problem.network, problem.protocol, extents, device.cores, half, company
    )
    fits = there is None or whole <= there
    if rows is None and fits and (side is None or side >= max(extents.content)):
        return None

    def sketch(side: int) -> budget.Side:
        return budget.Side(problem.network, extents, side, device.cores, half)

    return budget.choose(sketch, 1 << 62 if there is None else there, company, side)


def tiled(
    problem: Problem, cut: budget.Cut, threads: int, ranks: Ranks | None = None
) -> TiledEngine:
    """Return engine ``cpu`` in tiles.

    Parameters
    ----------
    problem
        What to compute.
    cut
        How its pictures are cut.
    threads
        Of the CPU.
    ranks
        Who computes it together.
    """
    from chainer_style.engines.cpu import compiled
    from chainer_style.engines.cpu.team import team
    from chainer_style.tiling.kernels import CompiledTiles
    from chainer_style.tiling.moving import CompiledPicture

    compiled.load()
    layout, own = cut.layout, team(threads)

    def make(grid: Grid, scales: Mapping[str, float], back: bool) -> Tiles:
        arrays, again = problem.weights.arrays, layout.again if back else 0
        return CompiledTiles(grid, arrays, cut.parameters, own, scales, again)

    content = ContentOnDisk() if layout.on_disk else Content()
    moved = functools.partial(CompiledPicture, own)
    engine = TiledEngine(
        "cpu", problem, make, layout.side, content, ranks=ranks, moved=moved
    )
    engine.cut = cut
    return engine


def allowed(limits: Limits) -> int | None:
    """Return the bytes that the process may take in all; None where none tells.

    That is the budget, or what the process has and what is free, less a reserve.
    """
    if limits.memory is not None:
        return limits.memory
    free = memory.available()
    if free is None:
        return None
    return memory.resident() + int(free * (1 - RESERVE)) // limits.ranks.count


def _nbytes(problem: Problem) -> int:
    return problem.content.nbytes + problem.style.nbytes + problem.start.nbytes


def _plain(name: str, problem: Problem, device: Device, precision: Precision) -> Maker:
    from chainer_style.tiling.plain import NumpyPass, Pass, PlainTiles

    arrays, dtype = problem.weights.arrays, np.dtype(precision)

    def numpy_pass(network: Network, height: int, width: int) -> Pass:
        return NumpyPass(network, arrays, height, width, dtype)

    def chainer_pass(network: Network, height: int, width: int) -> Pass:
        from chainer_style.tiling.define_by_run import ChainerPass

        return ChainerPass(network, arrays, device, precision)

    made = numpy_pass if name == "numpy" else chainer_pass

    def make(grid: Grid, scales: Mapping[str, float], back: bool) -> Tiles:
        return PlainTiles(grid, made, scales)

    return make
