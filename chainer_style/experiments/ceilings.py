"""What a device can do at most: its matrix products and its memory."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, Self

from chainer_style import provenance
from chainer_style.experiments.base import Experiment, Progress
from chainer_style.experiments.records import Record
from chainer_style.experiments.streams import FLOAT, Action, Bench, OnCpu, OnGpu

SIZES = {"CPU": (256, 512, 1024, 2048), "GPU": (256, 512, 1024, 2048, 4096, 8192)}
"""Rows and columns of the matrices."""

SECONDS = 0.6
"""How long one matrix size, or one kind of stream, is repeated."""

AT_LEAST = 5
"""Repetitions behind the dropped one, however long they take."""

AT_MOST = 500
"""Repetitions that are enough, however short: every time is kept."""

DROPPED = 1
"""First repetitions left out: they load code, start threads and touch memory."""

STREAMS: dict[Literal["copy", "triad"], int] = {"copy": 2, "triad": 3}
"""Kinds of streams, and how many arrays each reads and writes: STREAM counts no more
than these (J. D. McCalpin, https://www.cs.virginia.edu/stream/ref.html)."""


@dataclass(frozen=True)
class Ceiling:
    """A device, with so many threads.

    Attributes
    ----------
    device
        CPU or GPU.
    threads
        ``one`` or ``all`` processors; a GPU has nothing to choose.
    """

    device: Literal["CPU", "GPU"]
    threads: Literal["one", "all"] = "all"

    @property
    def key(self) -> str:
        """Name of the cell in file names."""
        return self.device.lower() + ("-one-thread" if self.threads == "one" else "")

    @property
    def title(self) -> str:
        """Name to print."""
        if self.device == "GPU":
            return "GPU"
        return f"CPU, {'one thread' if self.threads == 'one' else 'all threads'}"


@dataclass(frozen=True)
class Run:
    """Something repeated on one device, each time timed.

    Attributes
    ----------
    kind
        ``product`` C = A B; ``copy`` a = b; ``triad`` a = b + s c.
    size
        Rows and columns of the matrices, or numbers in each array.
    work
        Of one repetition: floating-point operations of a product, 2 n^3; bytes
        read and written, as STREAM counts them, otherwise: two arrays for a copy,
        three for a triad.
    seconds
        Raw times, first to last.
    """

    kind: Literal["product", "copy", "triad"]
    size: int
    work: int
    seconds: Sequence[float]

    @property
    def kept(self) -> Sequence[float]:
        """Seconds of the repetitions behind the dropped ones."""
        return self.seconds[DROPPED:]

    @property
    def rate(self) -> float:
        """Operations or bytes per second, from the median."""
        return self.work / median(self.kept)

    @property
    def best(self) -> float:
        """Operations or bytes per second of the fastest repetition."""
        return self.work / min(self.kept)


@dataclass(frozen=True, kw_only=True)
class CeilingRecord(Record[Ceiling]):
    """How fast a device multiplied matrices and moved memory.

    Attributes
    ----------
    runs
        Every size and kind.
    """

    experiment = "ceilings"
    cell_type = Ceiling

    runs: Sequence[Run] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the record of a document without experiment and format."""
        runs = tuple(
            Run(**{**run, "seconds": tuple(run["seconds"])}) for run in document["runs"]
        )
        return super().from_document({**document, "runs": runs})

    def check(self) -> None:
        """Refuse a measured record without times of both kinds."""
        super().check()
        if self.measured and not (self.products and self.streams):
            raise ValueError("it lacks matrix products or streams")
        if any(not run.kept or min(run.kept) <= 0 for run in self.runs):
            raise ValueError("it lacks times")

    @property
    def products(self) -> list[Run]:
        """The matrix products, by size."""
        return [run for run in self.runs if run.kind == "product"]

    @property
    def streams(self) -> list[Run]:
        """Copy and triad."""
        return [run for run in self.runs if run.kind != "product"]

    @property
    def flops_per_second(self) -> float:
        """The most operations per second that any product was seen to do."""
        return max(run.best for run in self.products)

    @property
    def bytes_per_second(self) -> float:
        """The most bytes per second that any stream was seen to move.

        The fastest repetition counts, as in STREAM: what others do at the time can
        only hide what a device is able to.
        """
        return max(run.best for run in self.streams)

    @property
    def ridge(self) -> float:
        """Operations per byte from which on arithmetic is the limit."""
        return self.flops_per_second / self.bytes_per_second


@dataclass(frozen=True)
class Ceilings(Experiment[Ceiling]):
    """Matrix products and memory streams on every device.

    Attributes
    ----------
    seconds
        How long each size and kind is repeated.
    """

    record = CeilingRecord

    seconds: float = SECONDS

    def cells(self) -> tuple[Ceiling, ...]:
        """Return the CPU with one thread and with all, and the GPU."""
        return Ceiling("CPU", "one"), Ceiling("CPU"), Ceiling("GPU")

    def title(self, cell: Ceiling) -> str:
        """Return a cell's name to print."""
        return f"Ceilings, {cell.title}"

    def estimate(self, cell: Ceiling) -> float:
        """Return the seconds of all sizes and kinds, and those of setting up."""
        return self.seconds * (len(SIZES[cell.device]) + len(STREAMS)) + 2

    def obstacle(self, cell: Ceiling) -> str | None:
        """Return what of the device is missing."""
        if cell.device == "CPU":
            return None
        from chainer_style.engines import devices
        from chainer_style.engines.base import Device

        missing = devices.obstacle(Device(0, cudnn=False))
        return None if missing is None else missing.reason

    def measure(self, cell: Ceiling, folder: Path, progress: Progress) -> CeilingRecord:
        """Repeat every size and kind for some time."""
        with _bench(cell) as bench:
            runs = repeat(bench, SIZES[cell.device], self.seconds, progress)
        settings = {
            "threads": bench.threads,
            "dtype": "float32",
            "dropped": DROPPED,
            "requested_seconds": self.seconds,
            "cache_bytes": bench.cache,
        }
        record: CeilingRecord = self.result(cell, runs=runs, settings=settings)
        return record

    def summary(self, record: CeilingRecord) -> str:
        """Return both ceilings."""
        return (
            f"{record.flops_per_second / 1e9:10.1f} GFLOP/s, "
            f"{record.bytes_per_second / 1e9:.1f} GB/s"
        )


def repeat(
    bench: Bench,
    sizes: Sequence[int],
    seconds: float = SECONDS,
    progress: Progress = lambda share, words: None,
) -> tuple[Run, ...]:
    """Repeat products and streams on a device that is in use.

    Parameters
    ----------
    bench
        The device.
    sizes
        Rows and columns of the matrices.
    seconds
        How long each size and each kind of stream is repeated.
    progress
        See `chainer_style.experiments.base.Progress`.
    """
    todo = len(sizes) + len(STREAMS)
    runs: list[Run] = []
    for size in sizes:
        progress(len(runs) / todo, f"product of {size} by {size}")
        times = _times(bench, bench.product(size), seconds)
        runs.append(Run("product", size, 2 * size**3, times))
    for kind in STREAMS:
        progress(len(runs) / todo, kind)
        times = _times(bench, bench.stream(kind), seconds)
        work = STREAMS[kind] * bench.length * FLOAT
        runs.append(Run(kind, bench.length, work, times))
    return tuple(runs)


def _times(bench: Bench, action: Action, seconds: float) -> tuple[float, ...]:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < DROPPED + AT_LEAST or (
        time.perf_counter() < end and len(times) < DROPPED + AT_MOST
    ):
        times.append(bench.timed(action))
    return tuple(times)


def _bench(cell: Ceiling) -> Bench:
    if cell.device == "CPU":
        return OnCpu(1 if cell.threads == "one" else provenance.cores())
    return OnGpu()
