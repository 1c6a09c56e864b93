"""Tables 4 and 5: iterations per minute on CPU, GPU and cuDNN.

Beside them this package's engine on the CPU, which the paper had not.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chainer_style import added, files, images, memory, networks
from chainer_style.experiments.base import Experiment, Progress
from chainer_style.experiments.records import TimedRecord
from chainer_style.paper import CHAINER, Cell

if TYPE_CHECKING:
    from chainer_style.engines.base import Device

DROPPED = 1
"""First iterations left out of median and spread: they fill caches and pools."""

AT_LEAST = DROPPED + 3
"""Iterations that every cell does, however short its time."""

SETTING_UP = 5.0
"""Rough seconds that a cell takes beside its iterations, for the time left."""

COMPILING = 30.0
"""The same of the kernels of this package's engine, compiled once per machine."""

NO_NUMBA = "numba is not installed"
"""Why that engine cannot run, in a record."""

SETTINGS = frozenset(
    ("weights", "protocol", "engine", "seed", "content", "style", "requested_seconds")
)
"""What the settings of a measured record must say."""


@dataclass(frozen=True, kw_only=True)
class RateRecord(TimedRecord[Cell]):
    """How long the iterations of a style transfer took; see `TimedRecord`."""

    experiment = "rates"
    cell_type = Cell

    @property
    def rate(self) -> float:
        """Iterations per minute, from the median."""
        return 60 / self.median

    def iterations_after(self, minutes: int) -> tuple[float, bool]:
        """Return the iterations done after some minutes, and if they were counted.

        Counted from the first iteration on where the run lasted that long;
        otherwise the rate times the minutes.
        """
        end = 60 * minutes
        ends = list(itertools.accumulate(self.seconds))
        if ends and ends[-1] >= end:
            return sum(finished <= end for finished in ends), True
        return self.rate * minutes, False

    def check(self) -> None:
        """Refuse an unknown network, or a measured record that lacks something."""
        super().check()
        networks.get(self.cell.network)
        if self.cell.engine not in (CHAINER, added.ENGINE):
            raise ValueError(f"no column has the engine {self.cell.engine!r}")
        if not self.measured:
            return
        lacking = sorted(SETTINGS - self.settings.keys())
        if "label" not in self.settings.get("weights", ()):
            lacking.append("the label of its weights")
        if lacking:
            raise ValueError(f"it lacks {', '.join(lacking)}")


@dataclass(frozen=True)
class Rates(Experiment[Cell]):
    """Style transfer under protocol 2016, for so many seconds per cell.

    Attributes
    ----------
    chosen
        The cells; what occurs twice is measured once.
    seconds
        How long to iterate.
    content, style
        Picture files.
    weights
        See `chainer_style.weights.load`.
    """

    record = RateRecord

    chosen: tuple[Cell, ...]
    seconds: float
    content: Path
    style: Path
    weights: str

    def cells(self) -> tuple[Cell, ...]:
        """Return the chosen cells, each once."""
        return tuple(dict.fromkeys(self.chosen))

    def title(self, cell: Cell) -> str:
        """Return a cell's name to print."""
        heading = added.heading(cell)
        return f"{networks.get(cell.network).title} {cell.size} px {heading}"

    def estimate(self, cell: Cell) -> float:
        """Return the seconds asked for and those of setting up."""
        lasting = self.seconds + SETTING_UP
        if not added.is_added(cell):
            return lasting
        # Not by numba: an interrupt that comes while it is imported may get lost.
        kept = files.cache_folder() / files.COMPILED
        return lasting + (0 if kept.exists() else COMPILING)

    def obstacle(self, cell: Cell) -> str | None:
        """Return what of the device, or for the engine, is missing."""
        from chainer_style.engines import devices

        if added.is_added(cell) and not importlib.util.find_spec("numba"):
            return NO_NUMBA
        missing = devices.obstacle(device_of(cell.column))
        return None if missing is None else missing.reason

    def check(self) -> None:
        """Refuse pictures that cannot be read."""
        for picture in (self.content, self.style):
            images.read(picture)

    def networks(self) -> frozenset[str]:
        """Return the networks of its cells."""
        return frozenset(cell.network for cell in self.chosen)

    def measure(self, cell: Cell, folder: Path, progress: Progress) -> RateRecord:
        """Iterate until the time is over, and leave the picture."""
        from chainer_style import transfer

        device = device_of(cell.column)
        if added.is_added(cell):
            compile_kernels(progress)
        job = transfer.prepare(
            self.content,
            self.style,
            protocol="2016",
            model=cell.network,
            width=cell.size,
            weights=self.weights,
            engine=cell.engine,
            device=device,
        )
        # Making seeded weights takes more than iterating.
        memory.forget_peak()
        seconds: list[float] = []
        gone = 0.0
        for iterate in job.run(sys.maxsize):
            # To the microsecond: a fast cell has tens of thousands of them.
            seconds.append(round(iterate.seconds, 6))
            gone += iterate.seconds
            rate = 60 * len(seconds) / gone
            words = f"{len(seconds)} iterations, {rate:.1f}/min"
            share = min(gone / self.seconds, len(seconds) / AT_LEAST)
            progress(share, words)
            if gone >= self.seconds and len(seconds) >= AT_LEAST:
                break
        picture = folder / f"{cell.key}.png"
        images.save(iterate.picture, picture, iterate.label)
        settings = {
            "protocol": dataclasses.asdict(job.problem.protocol),
            "weights": job.problem.weights.as_record(),
            "engine": job.engine.name,
            # Chainer leaves them to BLAS.
            "threads": device.cores if added.is_added(cell) else None,
            "seed": job.seed,
            "content": self.content.name,
            "style": self.style.name,
            "picture": picture.name,
            "requested_seconds": self.seconds,
            "last_loss": iterate.losses.total,
        }
        record: RateRecord = self.result(
            cell,
            seconds=seconds,
            dropped=DROPPED,
            peak_memory_bytes=memory.peak_on(device.is_gpu),
            settings=settings,
        )
        return record

    def summary(self, record: RateRecord) -> str:
        """Return rate, median and number of iterations."""
        return (
            f"{record.rate:10.1f} iterations/min "
            f"({1000 * record.median:.0f} ms each, {len(record.kept)} measured)"
        )


def compile_kernels(progress: Progress) -> None:
    """Have the kernels compiled where they are not, by a process of its own.

    What the compiler holds would count as memory of the iterations.
    """
    from chainer_style.engines.cpu import compiled

    if not compiled.are_kept():
        progress(0, "compiling its kernels")
        load = f"from {compiled.__name__} import load; load()"
        # If it fails, the engine does, and says why.
        subprocess.run([sys.executable, "-c", load], check=False)


def device_of(column: str) -> Device:
    """Return the device of one of the paper's columns."""
    from chainer_style.engines.base import Device

    return Device(gpu=-1 if column == "CPU" else 0, cudnn=column == "cuDNN")
