"""The 512 pixels that dumped core: style transfer under the memory of a GTX 960.

A GeForce GTX 960 had 2 or 4 GiB. A cell does two iterations, under such a limit or
without one, with what Chainer holds today or with what Chainer 1.5 and the program held
(`chainer_style.engines.chainer15`), and notes the peak, or where it failed.
"""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chainer_style import images, memory
from chainer_style.experiments.base import Experiment, Progress
from chainer_style.experiments.rates import device_of
from chainer_style.experiments.records import TimedRecord
from chainer_style.paper import Column

if TYPE_CHECKING:
    from chainer_style.engines.define_by_run import ChainerEngine

Held = Literal["1.5", "7.8.1"]
"""The version of Chainer whose memory is held."""

VERSIONS: tuple[Held, ...] = ("1.5", "7.8.1")

LIMITED: dict[Held, tuple[int, ...]] = {"1.5": (256, 512), "7.8.1": (512,)}
"""Sizes in pixels that are also run within the limits: where they may matter."""

CARDS = (2, 4)
"""GiB of memory that a GeForce GTX 960 came with."""

GIB = 2**30

ITERATIONS = 2
"""The second one still holds the first one's graph: the peak is reached."""

SPARE = 1.1
"""Times the predicted memory that must be available for a run without a limit."""


@dataclass(frozen=True)
class LimitCell:
    """One size under one limit.

    Attributes
    ----------
    size
        Side of the square picture in pixels.
    held
        Chainer 1.5's memory or that of 7.8.1.
    gib
        The limit; None: as much as there is.
    column
        CPU, or GPU without cuDNN.
    """

    size: int
    held: Held
    gib: int | None
    column: Column

    @property
    def key(self) -> str:
        """Name of the cell in file names."""
        limit = f"{self.gib}gib" if self.gib else "unlimited"
        return f"vgg16-{self.size}-chainer{self.held}-{limit}-{self.column.lower()}"


@dataclass(frozen=True, kw_only=True)
class LimitRecord(TimedRecord[LimitCell]):
    """Peak memory of two iterations, or at which point they failed.

    A run that fails for want of memory is measured: `failed` says how.

    Attributes
    ----------
    before_bytes
        What the process held before anything of the transfer was loaded: the
        interpreter and its libraries. 0 on a GPU.
    failed
        What happened; None where the iterations ran.
    held_bytes
        Taken beyond that when it failed: addresses, or CuPy's memory.
    asked_bytes
        Asked for when it failed; None where the error does not tell.
    """

    experiment = "limits"
    cell_type = LimitCell

    before_bytes: int = 0
    failed: str | None = None
    held_bytes: int | None = None
    asked_bytes: int | None = None

    @property
    def data_bytes(self) -> int | None:
        """Peak memory without the interpreter and its libraries."""
        if self.peak_memory_bytes is None:
            return None
        return self.peak_memory_bytes - self.before_bytes

    @property
    def ending(self) -> str:
        """How it failed, in numbers; empty where it ran."""
        words = self.failed or ""
        if self.held_bytes:
            words += f" after {self.held_bytes / 2**20:.0f} MiB"
        if self.asked_bytes:
            words += f", asking for {self.asked_bytes / 2**20:.0f} MiB more"
        return words

    def check(self) -> None:
        """Refuse a measured record that says neither peak nor failure."""
        if self.measured and not self.failed:
            super().check()
            if self.peak_memory_bytes is None:
                raise ValueError("it lacks the peak of its memory")


@dataclass(frozen=True)
class Limits(Experiment[LimitCell]):
    """VGG-16 under protocol 2016, under the memory of the paper's card.

    Attributes
    ----------
    content, style
        Picture files.
    weights
        See `chainer_style.weights.load`.
    sizes
        Run without a limit, in pixels.
    columns
        Devices.
    """

    record = LimitRecord

    content: Path
    style: Path
    weights: str
    sizes: tuple[int, ...] = (64, 128, 256, 512)
    columns: tuple[Column, ...] = ("CPU", "GPU")

    def cells(self) -> list[LimitCell]:
        """Return every size without a limit, and some within those of the card."""
        return [
            LimitCell(size, held, gib, column)
            for column in self.columns
            for held in VERSIONS
            for size, gib in [
                *((size, None) for size in self.sizes),
                *((size, gib) for size in LIMITED[held] for gib in CARDS),
            ]
        ]

    def title(self, cell: LimitCell) -> str:
        """Return a cell's name to print."""
        limit = f"within {cell.gib} GiB" if cell.gib else "without a limit"
        return f"{cell.size} px, memory of Chainer {cell.held}, {limit}, {cell.column}"

    def estimate(self, cell: LimitCell) -> float:
        """Return roughly how long setting up and two iterations take."""
        return 5 + 16 * (cell.size / 512) ** 2

    def networks(self) -> frozenset[str]:
        """Return VGG-16."""
        return frozenset({"vgg16"})

    def check(self) -> None:
        """Refuse pictures that cannot be read."""
        for picture in (self.content, self.style):
            images.read(picture)

    def obstacle(self, cell: LimitCell) -> str | None:
        """Return what of the device, or how much memory, is missing."""
        from chainer_style.engines import devices

        if missing := devices.obstacle(device_of(cell.column)):
            return missing.reason
        if cell.column != "CPU":
            return None
        if cell.gib:
            return None if memory.address_space() else "no limit can be set here"
        there = memory.available()
        needed = predicted(cell) * SPARE
        if there is not None and there < needed:
            return (
                f"it needs about {needed / GIB:.1f} GiB, of which "
                f"{there / GIB:.1f} GiB are available"
            )
        return None

    def measure(self, cell: LimitCell, folder: Path, progress: Progress) -> LimitRecord:
        """Do the iterations, and note the peak or the failure."""
        from chainer_style import transfer

        room = _Room(on_gpu=cell.column != "CPU")
        problem = transfer.pose(
            self.content,
            self.style,
            protocol="2016",
            model="vgg16",
            width=cell.size,
            weights=self.weights,
        )
        room.confine(cell.gib)
        seconds: list[float] = []
        failure: dict[str, Any] = {}
        engine = _engine(cell)
        try:
            running = engine(problem, device_of(cell.column))
            for index in range(ITERATIONS):
                begin = time.perf_counter()
                running.step()
                running.synchronize()
                seconds.append(time.perf_counter() - begin)
                progress((index + 1) / ITERATIONS, f"{index + 1} of {ITERATIONS}")
        except MemoryError as error:
            failure = {
                "failed": f"out of memory at {cell.gib} GiB",
                "held_bytes": room.held(),
                "asked_bytes": _asked(error),
            }
        record: LimitRecord = self.result(
            cell,
            seconds=seconds,
            peak_memory_bytes=None if failure else memory.peak_on(room.on_gpu),
            before_bytes=room.before,
            settings={
                "protocol": dataclasses.asdict(problem.protocol),
                "weights": problem.weights.as_record(),
                "engine": engine.name,
                "content": self.content.name,
                "style": self.style.name,
            },
            **failure,
        )
        return record

    def summary(self, record: LimitRecord) -> str:
        """Return the peak, or how it failed."""
        if record.failed:
            return f"failed: {record.ending}"
        return f"ran, with {(record.data_bytes or 0) / 2**20:.0f} MiB"


def _engine(cell: LimitCell) -> type[ChainerEngine]:
    from chainer_style.engines.chainer15 import Engine15
    from chainer_style.engines.define_by_run import ChainerEngine

    return Engine15 if cell.held == "1.5" else ChainerEngine


class _Room:
    """The memory that a transfer may take, beside what was taken before it."""

    def __init__(self, *, on_gpu: bool) -> None:
        import numpy as np

        from chainer_style.engines import chainer15  # noqa: F401 - loads Chainer

        self.on_gpu = on_gpu
        memory.return_at_once()
        # BLAS takes its buffers at the first product.
        np.ones((64, 64), np.float32) @ np.ones((64, 64), np.float32)
        memory.trim()
        self.before = 0 if on_gpu else memory.resident()
        self._addresses = 0

    def confine(self, gib: int | None) -> None:
        """Set the limit; what making the weights took at times is not counted."""
        memory.trim()
        memory.forget_peak()
        if self.on_gpu:
            import cupy

            cupy.get_default_memory_pool().set_limit(size=(gib or 0) * GIB)
            return
        own = memory.resident() - self.before
        self._addresses = memory.address_space() - own
        if gib:
            memory.limit(gib * GIB - own)

    def held(self) -> int:
        """Return what the transfer holds now."""
        if self.on_gpu:
            import cupy

            return int(cupy.get_default_memory_pool().total_bytes())
        return memory.address_space() - self._addresses


def _asked(error: MemoryError) -> int | None:
    """Return the bytes that could not be had: what NumPy's and CuPy's errors say."""
    shape, dtype = getattr(error, "shape", None), getattr(error, "dtype", None)
    if shape is not None and dtype is not None:
        return int(math.prod(shape) * dtype.itemsize)
    asked = getattr(error, "_size", None)
    return None if asked is None else int(asked)


def predicted(cell: LimitCell) -> int:
    """Return the bytes that a cell takes beside the interpreter, from the graph."""
    from chainer_style.footprint import Footprint
    from chainer_style.protocols import Protocol
    from chainer_style.transfer import network_for

    network = network_for(Protocol(model="vgg16"))
    return Footprint(network, cell.size, as_1_5=cell.held == "1.5").peak_bytes()
