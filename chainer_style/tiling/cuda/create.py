"""From a problem and a device's memory to engine ``cuda``, whole or in tiles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainer_style.engines.base import Engine, Problem
from chainer_style.engines.cuda import onepass, parameters, plan
from chainer_style.engines.cuda.engine import CudaEngine
from chainer_style.engines.cuda.machine import Machine
from chainer_style.engines.cuda.nodes import filled
from chainer_style.engines.cuda.steps import FLOAT, aligned
from chainer_style.errors import UserError
from chainer_style.networks import INPUT
from chainer_style.text import size as bytes_of
from chainer_style.tiling.bands import Band
from chainer_style.tiling.base import Tiles
from chainer_style.tiling.cuda.content import ContentOnDevice
from chainer_style.tiling.cuda.picture import CudaPicture
from chainer_style.tiling.cuda.tiles import CudaTiles, Drafts
from chainer_style.tiling.engine import TiledEngine
from chainer_style.tiling.grid import Grid
from chainer_style.tiling.ranks import Ranks

SIDES = (4096, 2048, 1024, 512, 256)
"""Pixels of tiles that are tried, where nobody says: of fewer, margins are the most."""

RESERVE = 0.1
"""Share of what is free that is left to cuDNN, which does not say what it will take."""


def create(
    problem: Problem, machine: Machine, ranks: Ranks, side: int | None
) -> Engine:
    """Return the engine for a problem.

    Parameters
    ----------
    problem
        What to compute.
    machine
        The device, and the precision.
    ranks
        Who computes it together.
    side
        Pixels of a tile; None: the whole picture if the device has room for it, or the
        largest of `SIDES` that it has.

    Raises
    ------
    UserError
        If it does not fit, or there are tiles and the precision is fp16.
    """
    longest = max(problem.content.shape[2:])
    whole = ranks.count == 1 and (side is None or side >= longest)
    room = int(machine.available() * (1 - RESERVE))
    if whole:
        need = plan.predicted(problem, machine.format.bytes, units=machine.units)
        if side or need <= room:
            return CudaEngine(problem, machine)
    if machine.format.scaled:
        raise UserError(
            "the engine 'cuda' computes tiles in tf32, float32 or bf16; take "
            "--precision bf16"
        )
    side = side or _chosen(problem, machine, ranks, room)
    return tiled(problem, machine, ranks, side)


def _chosen(problem: Problem, machine: Machine, ranks: Ranks, room: int) -> int:
    """Return the largest tiles that the device has room for."""
    longest = max(problem.content.shape[2:])
    for side in (longest, *(side for side in SIDES if side < longest)):
        need = predicted(problem, machine, ranks, side)
        if need <= room:
            return int(side)
    raise UserError(
        f"the picture needs {bytes_of(need)} of the device, in tiles of {side} px, "
        f"where {bytes_of(room)} are free; take --precision bf16, or a smaller --width"
    )


def _grids(problem: Problem, ranks: Ranks, side: int) -> tuple[Grid, Grid]:
    """Return the tiles of the content picture, of this rank, and of the style."""
    network, unit = problem.network, onepass.unit(problem.network)
    (height, width), (tall, wide) = (
        picture.shape[2:] for picture in (problem.content, problem.style)
    )
    band = Band.of(network, height, width, ranks, unit)
    rows = band.top, band.bottom
    return (
        Grid(network, height, width, side, rows, unit),
        Grid(network, tall, wide, side, unit=unit),
    )


def predicted(problem: Problem, machine: Machine, ranks: Ranks, side: int) -> int:
    """Return the bytes that tiles take on a device at most, without cuDNN's own.

    Parameters
    ----------
    problem, machine, ranks, side
        See `create`.
    """
    width, network = machine.format.bytes, problem.network
    scales = {tap.node: 1.0 for tap in network.taps if tap.content}
    content, style = _grids(problem, ranks, side)
    first = _of_tiles(Drafts(style, width, machine.units, {}))
    second = _of_tiles(Drafts(content, width, machine.units, scales))
    channels = {t.node: filled(content.shapes[t.node].channels) for t in network.taps}
    matrices = sum((FLOAT + width) * side**2 for side in channels.values())
    features: int = sum(
        aligned(width * own.height * own.width * channels[node])
        for tile in content.tiles
        for node, own in tile.taps.items()
        if node in scales
    )
    windows = [tile.window for tile in content.tiles]
    top, bottom = min(w.top for w in windows), max(w.bottom for w in windows)
    planes = content.shapes[INPUT].channels
    pictures: int = 4 * FLOAT * planes * (bottom - top + 2) * content.width
    always: int = matrices + parameters.size(width, network)
    return always + max(first, second + features + pictures)


def _of_tiles(drafts: Drafts) -> int:
    """Return the bytes of a tile, its pixels and their gradient."""
    height, width = drafts.windows.extents
    pixels: int = 2 * FLOAT * drafts.windows.planes * height * width
    return drafts.room + pixels


def tiled(problem: Problem, machine: Machine, ranks: Ranks, side: int) -> TiledEngine:
    """Return engine ``cuda`` in tiles; see `create`."""
    addresses = parameters.load(machine, problem.network, problem.weights.arrays)

    def make(grid: Grid, scales: Mapping[str, float], back: bool) -> Tiles:
        return CudaTiles(grid, machine, addresses, scales)

    def moved(*given: object, **more: object) -> CudaPicture:
        return CudaPicture(machine, *given, **more)  # type: ignore[arg-type]

    return TiledEngine(
        "cuda",
        problem,
        make,
        side,
        ContentOnDevice(machine),
        np.float32,
        ranks,
        moved,
        onepass.unit(problem.network),
    )
