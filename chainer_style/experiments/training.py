"""Table 1: training four networks on one constant minibatch.

The protocol is that of soumith/convnet-benchmarks 1f09e1e, chainer/train_imagenet.py:
constant pictures and labels, plain gradient descent, ten iterations of which the first
is dropped, the pictures' way to the device and the clearing of gradients untimed. What
is different: all times are wall-clock times, taken when the device has finished.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from chainer_style import memory
from chainer_style.experiments.base import Experiment, Progress
from chainer_style.experiments.rates import device_of
from chainer_style.experiments.records import TimedRecord
from chainer_style.networks.benchmarks import BENCHMARKS, Benchmark
from chainer_style.paper import Column
from chainer_style.trainers import FRAMEWORKS, RATE, Trainer, initial_arrays

DROPPED = 1
"""First iterations left out, as in the benchmark."""

ITERATIONS = 10
"""Iterations of the benchmark."""

FEW_ITERATIONS = 4
"""Iterations on a CPU unless the whole protocol is asked for."""

SMALL_BATCHES = {"alexnet_owt": 16, "overfeat": 4, "vgg_a": 2, "googlenet_v1": 4}
"""Pictures per iteration on a CPU unless the whole protocol is asked for."""

PICTURE = 33333.0
"""Every value of the benchmark's pictures."""

LABEL = 1
"""The class of all of them."""

CPU_FLOPS = 1e10
"""Rough operations per second of Chainer on a CPU, for the time left."""

SETTING_UP = 8.0
"""Rough seconds that a cell takes beside its iterations, for the time left."""


@dataclass(frozen=True)
class TrainingCell:
    """One network, trained by one framework on one kind of device.

    Attributes
    ----------
    network
        A key of `chainer_style.networks.benchmarks.BENCHMARKS`.
    framework
        A key of `chainer_style.trainers.FRAMEWORKS`.
    column
        CPU; GPU without cuDNN; or GPU with cuDNN.
    """

    network: str
    framework: str
    column: Column

    @property
    def key(self) -> str:
        """Name of the cell in file names."""
        return f"{self.network}-{self.framework}-{self.column.lower()}"


@dataclass(frozen=True, kw_only=True)
class TrainingRecord(TimedRecord[TrainingCell]):
    """How long the iterations of training took; see `TimedRecord`.

    Attributes
    ----------
    batch
        Pictures per iteration.
    forward
        Seconds of every forward pass with the loss, first to last.
    backward
        Seconds of every backward pass with the update. Each is, with the forward
        pass, one of `seconds`.
    """

    experiment = "training"
    cell_type = TrainingCell

    batch: int = 0
    forward: Sequence[float] = ()
    backward: Sequence[float] = ()

    @property
    def forward_median(self) -> float:
        """Median seconds of a forward pass."""
        return median(self.forward[self.dropped :])

    @property
    def backward_median(self) -> float:
        """Median seconds of a backward pass with the update."""
        return median(self.backward[self.dropped :])

    @property
    def per_picture(self) -> float:
        """Median seconds of an iteration over the pictures in it."""
        return self.median / self.batch

    @property
    def flops_per_second(self) -> float:
        """Floating-point operations over the median seconds of an iteration."""
        return BENCHMARKS[self.cell.network].training_flops() / self.per_picture

    def check(self) -> None:
        """Refuse a measured record without times, their parts or the batch."""
        super().check()
        if not self.measured:
            return
        if not len(self.forward) == len(self.backward) == len(self.seconds):
            raise ValueError("it lacks times of forward or backward passes")
        if self.batch < 1:
            raise ValueError("it lacks the batch")


@dataclass(frozen=True)
class Training(Experiment[TrainingCell]):
    """Forward, backward and update, again and again.

    Attributes
    ----------
    chosen
        The cells.
    full
        Whether a CPU has the batches and the iterations of the benchmark. A GPU
        always has.
    """

    record = TrainingRecord

    chosen: tuple[TrainingCell, ...]
    full: bool = False

    def cells(self) -> tuple[TrainingCell, ...]:
        """Return the chosen cells."""
        return self.chosen

    def title(self, cell: TrainingCell) -> str:
        """Return a cell's name to print."""
        network = BENCHMARKS[cell.network].network.title
        return f"{network}, {FRAMEWORKS[cell.framework].title} {cell.column}"

    def batch(self, cell: TrainingCell) -> int:
        """Return how many pictures an iteration has."""
        if self.full or cell.column != "CPU":
            return BENCHMARKS[cell.network].batch
        return SMALL_BATCHES[cell.network]

    def iterations(self, cell: TrainingCell) -> int:
        """Return how many iterations there are."""
        return ITERATIONS if self.full or cell.column != "CPU" else FEW_ITERATIONS

    def estimate(self, cell: TrainingCell) -> float:
        """Return what Chainer takes on a CPU; others and GPUs are faster."""
        if cell.column != "CPU":
            return SETTING_UP
        flops = BENCHMARKS[cell.network].training_flops() * self.batch(cell)
        return SETTING_UP + self.iterations(cell) * flops / CPU_FLOPS

    def obstacle(self, cell: TrainingCell) -> str | None:
        """Return what of framework or device is missing, as far as can be told here.

        No framework but Chainer is imported for it.
        """
        framework = FRAMEWORKS[cell.framework]
        if not framework.is_installed:
            return f"{framework.title} is not installed"
        if framework.name == "chainer":
            return framework.trainer.obstacle(device_of(cell.column))
        if cell.column != "CPU" and shutil.which("nvidia-smi") is None:
            return "no CUDA device"
        return None

    def measure(
        self, cell: TrainingCell, folder: Path, progress: Progress
    ) -> TrainingRecord:
        """Train, and time every iteration."""
        framework = FRAMEWORKS[cell.framework]
        device = device_of(cell.column)
        record: TrainingRecord
        try:
            kind = framework.trainer
            missing = kind.obstacle(device)
        except ImportError as error:
            missing = f"{framework.title} cannot be imported: {error}"
        if missing:
            record = self.result(cell, reason=missing)
            return record
        benchmark, batch = BENCHMARKS[cell.network], self.batch(cell)
        try:
            arrays = initial_arrays(benchmark.network)
            trainer = kind(benchmark, arrays, *minibatch(benchmark, batch), device)
            del arrays  # as large as the parameters
            memory.forget_peak()
            times = _times(trainer, self.iterations(cell), progress)
        except Exception as error:
            # Every framework has its own.
            if _is_out_of_memory(error):
                raise MemoryError from error
            raise
        record = self.result(
            cell,
            **times,
            dropped=DROPPED,
            batch=batch,
            peak_memory_bytes=trainer.peak_memory(),
            settings={
                "framework": framework.title,
                "version": kind.version,
                "learning_rate": RATE,
                "picture": PICTURE,
                "label": LABEL,
                "last_loss": trainer.loss if np.isfinite(trainer.loss) else None,
            },
        )
        return record

    def summary(self, record: TrainingRecord) -> str:
        """Return time, its parts and batch."""
        parts = (record.median, record.forward_median, record.backward_median)
        total, forward, backward = (f"{1000 * part:.0f}" for part in parts)
        return (
            f"{1000 * record.per_picture:10.1f} ms per picture ({total} ms for "
            f"{record.batch}: forward {forward}, backward and update {backward})"
        )


def minibatch(
    benchmark: Benchmark, batch: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Return pictures and labels as in the benchmark."""
    network = benchmark.network
    shape = (batch, network.channels, network.input_size, network.input_size)
    return np.full(shape, PICTURE, np.float32), np.full(batch, LABEL, np.int32)


def _times(
    trainer: Trainer, iterations: int, progress: Progress
) -> dict[str, list[float]]:
    """Train, and return the seconds of every iteration and of its parts."""
    forward: list[float] = []
    backward: list[float] = []
    for i in range(1, iterations + 1):
        trainer.prepare()
        start = time.perf_counter()
        trainer.forward()
        middle = time.perf_counter()
        trainer.backward()
        end = time.perf_counter()
        forward.append(middle - start)
        backward.append(end - middle)
        words = f"{i} iterations, {1000 * (end - start):.0f} ms"
        progress(i / iterations, words)
    seconds = [there + back for there, back in zip(forward, backward, strict=True)]
    return {"seconds": seconds, "forward": forward, "backward": backward}


def _is_out_of_memory(error: Exception) -> bool:
    return bool(re.search(r"(?i:out of|not enough) memory|\bOOM\b", str(error)))


def table1() -> tuple[TrainingCell, ...]:
    """Return every cell of Table 1 that can be measured today."""
    return tuple(
        TrainingCell(network, framework.name, column)
        for framework in FRAMEWORKS.values()
        for column in framework.columns
        for network in BENCHMARKS
    )
