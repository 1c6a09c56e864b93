"""How much of what its device can do an experiment did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from chainer_style import added
from chainer_style.experiments.ceilings import Ceiling, CeilingRecord
from chainer_style.experiments.digits import DigitsRecord
from chainer_style.experiments.rates import RateRecord
from chainer_style.experiments.records import Record
from chainer_style.experiments.training import TrainingRecord
from chainer_style.paper import TABLE_1_COLUMNS, Column
from chainer_style.report import arithmetic, comparison
from chainer_style.report.machines import Machine
from chainer_style.trainers import FRAMEWORKS


@dataclass(frozen=True)
class Work:
    """How fast a cell of an experiment computed.

    Attributes
    ----------
    title
        Name of the cell.
    device
        Where it ran.
    flops_per_second
        Counted operations over measured seconds.
    flops_per_byte
        The operations over the bytes that they move at the least; None where
        nobody has counted.
    """

    title: str
    device: Literal["CPU", "GPU"]
    flops_per_second: float
    flops_per_byte: float | None = None


def _of_rates(record: RateRecord) -> Work:
    cell = record.cell
    return Work(
        comparison.title(cell),
        _device(cell.column),
        arithmetic.flops_per_second(record),
        # Counted is what Chainer's convolution moves, and no other's.
        None
        if added.is_added(cell)
        else arithmetic.flops_per_byte(cell.network, cell.size),
    )


def _of_training(record: TrainingRecord) -> Work:
    cell = record.cell
    title = f"{TABLE_1_COLUMNS[cell.network]}, {FRAMEWORKS[cell.framework].title}"
    return Work(
        f"{title}, {cell.column}", _device(cell.column), record.flops_per_second
    )


def _of_digits(record: DigitsRecord) -> Work:
    column = record.cell.column
    return Work(f"MNIST, {column}", _device(column), record.flops_per_second)


def _device(column: Column) -> Literal["CPU", "GPU"]:
    return "CPU" if column == "CPU" else "GPU"


WORKS: dict[str, Callable[[Any], Work]] = {
    "rates": _of_rates,
    "training": _of_training,
    "mnist": _of_digits,
}
"""How to read the work from a measured record, by experiment.

An experiment that counts its operations is added here, and is in every table.
"""


@dataclass(frozen=True)
class Share:
    """Work beside the ceiling of its device on the same machine.

    Attributes
    ----------
    work
        What was done.
    ceiling
        What the device was seen to do; None where nobody measured that.
    """

    work: Work
    ceiling: CeilingRecord | None

    @property
    def of_product(self) -> float | None:
        """The operations per second over those of the best matrix product."""
        if self.ceiling is None:
            return None
        return self.work.flops_per_second / self.ceiling.flops_per_second


def shares(machine: Machine) -> Iterator[Share]:
    """Yield every measured cell whose operations are counted."""
    for experiment, work in WORKS.items():
        for record in _in_order(machine, experiment):
            if record.measured:
                done = work(record)
                yield Share(done, ceiling(machine, done.device, threads(record)))


def _in_order(machine: Machine, experiment: str) -> list[Any]:
    own = machine.rates if experiment == "rates" else machine.of(experiment)
    return list(own.values())


def share(record: Record[Any], machine: Machine) -> float | None:
    """Return a measured record's share of the matrix product's ceiling, if known."""
    done = WORKS[record.experiment](record)
    return Share(done, ceiling(machine, done.device, threads(record))).of_product


def threads(record: Record[Any]) -> int:
    """Return how many threads a record's engine had, or else its BLAS."""
    if own := record.settings.get("threads"):
        return int(own)
    pools = record.environment["blas"]
    counts = [pool["num_threads"] for pool in pools if pool["num_threads"]]
    return int(max(counts, default=record.environment["cores"]))


def ceiling(
    machine: Machine, device: Literal["CPU", "GPU"], threads: int
) -> CeilingRecord | None:
    """Return the ceiling of a device with so many threads, if it was measured."""
    own = machine.of(CeilingRecord.experiment)
    one, every = own.get(Ceiling("CPU", "one")), own.get(Ceiling("CPU"))
    chosen = own.get(Ceiling("GPU")) if device == "GPU" else every
    if device == "CPU" and threads == 1:
        chosen = one
    return chosen if chosen and chosen.measured else None
