"""Table 1: what the paper prints, where that is from, and the same training today."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from chainer_style import convnet_benchmarks as origin
from chainer_style.experiments import training
from chainer_style.experiments.training import TrainingCell, TrainingRecord
from chainer_style.networks.benchmarks import BENCHMARKS, Benchmark
from chainer_style.paper import TABLE_1, TABLE_1_COLUMNS, TABLE_1_UNIT
from chainer_style.report import formats, rst
from chainer_style.report.machines import NO_RECORD, Machine
from chainer_style.trainers import FRAMEWORKS

NONE = "—"

TITLES = {framework.title: framework.name for framework in FRAMEWORKS.values()}
"""Name of a framework by its title, which Table 1 calls it by."""


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return tables and figures for the template."""
    log = origin.CHAINER_LOGS["alexnet_owt"]
    return {
        "origin": origin,
        "training": training,
        "printed": printed(),
        "work": work(),
        "origins": origins(),
        "slips": slips(),
        "today": [Today(m) for m in machines if m.of(TrainingRecord.experiment)],
        "log": log,
        "benchmarks": BENCHMARKS,
        "columns": TABLE_1_COLUMNS,
        "scripts": origin.source("chainer/train_imagenet.py"),
    }


def printed() -> str:
    """Return Table 1 as the paper prints it."""
    head = [f"({TABLE_1_UNIT})", *TABLE_1_COLUMNS.values()]
    rows = [[name, *map(str, row.values())] for name, row in TABLE_1.items()]
    return rst.table(head, rows, "Table 1 as the paper prints it.", "numbers")


def work() -> str:
    """Return what an iteration of each network is."""
    head = [
        "Network",
        "In the paper",
        "Minibatch",
        "Parameters",
        "GFLOP per picture, forward",
        "forward and backward",
    ]
    rows = []
    for name, benchmark in BENCHMARKS.items():
        rows.append(
            [
                benchmark.network.title,
                TABLE_1_COLUMNS[name],
                minibatch(benchmark),
                f"{_parameters(benchmark) / 1e6:.1f} million",
                formats.plain(benchmark.training_flops() / 3e9),
                formats.plain(benchmark.training_flops() / 1e9),
            ]
        )
    return rst.table(head, rows, "What was trained.", "numbers")


def minibatch(benchmark: Benchmark) -> str:
    """Return batch, channels, height and width."""
    network = benchmark.network
    size = network.input_size
    extents = (benchmark.batch, network.channels, size, size)
    return formats.TIMES.join(map(str, extents))


def _parameters(benchmark: Benchmark) -> int:
    layers = benchmark.network.parameter_shapes().values()
    return sum(math.prod(shape) for layer in layers for shape in layer.values())


def origins() -> str:
    """Return the benchmark's own numbers beside the paper's."""
    head = [
        "Library, network",
        f"The paper, “{TABLE_1_UNIT}”",
        "The benchmark, ms per minibatch",
        "forward",
        "backward",
        "Corrected, ms per minibatch",
        "ms per picture",
    ]
    rows = []
    for framework, row in origin.README.items():
        for name, timing in row.items():
            corrected = origin.corrected_total(framework, name)
            rows.append(
                [
                    f"{framework}, {TABLE_1_COLUMNS[name]}",
                    str(TABLE_1[framework][name]),
                    str(timing.total),
                    str(timing.forward),
                    str(timing.backward),
                    f"{corrected:.1f}",
                    f"{corrected / BENCHMARKS[name].batch:.2f}",
                ]
            )
    return rst.table(head, rows, "Where Table 1 is from.", "numbers")


def slips() -> str:
    """Return the Chainer script's sums, printed and corrected."""
    head = [
        "Network",
        "Printed by the script",
        "Sum of the nine iterations",
        "Their mean",
        "forward",
        "backward and update",
    ]
    rows = []
    for name, log in origin.CHAINER_LOGS.items():
        rows.append(
            [
                TABLE_1_COLUMNS[name],
                f"{log.total:.1f}",
                f"{log.ITERATIONS * (log.total + 1):.1f}",
                f"{log.corrected_total:.1f}",
                f"{log.corrected_forward:.1f}",
                f"{log.corrected_backward:.1f}",
            ]
        )
    title = "Chainer’s times of 2015, in ms per minibatch, and what they should be."
    return rst.table(head, rows, title, "numbers")


def per_picture_then(cell: TrainingCell) -> float | None:
    """Return the corrected ms per picture of 2016, of the same library with a GPU."""
    title = FRAMEWORKS[cell.framework].title
    if title not in origin.README:
        return None
    total = origin.corrected_total(title, cell.network)
    return total / BENCHMARKS[cell.network].batch


class Today:
    """What one machine's records say.

    Parameters
    ----------
    machine
        One with records of the training.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._records = machine.of(TrainingRecord.experiment)

    @property
    def measured(self) -> list[TrainingRecord]:
        """Records with times, in the order of the table."""
        found = (self._records.get(cell) for cell in training.table1())
        return [record for record in found if record and record.measured]

    @property
    def missing(self) -> list[tuple[str, list[str]]]:
        """Reasons, and the frameworks and devices that have no time for them."""
        reasons: dict[tuple[str, str], list[str]] = {}
        for cell in training.table1():
            record = self._records.get(cell)
            if record is None or not record.measured:
                reason = record.reason if record else NO_RECORD
                what = f"{FRAMEWORKS[cell.framework].title} {cell.column}"
                name = TABLE_1_COLUMNS[cell.network]
                reasons.setdefault((reason, what), []).append(name)
        found: dict[str, list[str]] = {}
        for (reason, what), names in reasons.items():
            whole = len(names) == len(TABLE_1_COLUMNS)
            words = what if whole else f"{what} ({formats.listing(names)})"
            found.setdefault(reason, []).append(words)
        return list(found.items())

    @property
    def table(self) -> str:
        """Every cell with a time, beside 2016."""
        head = [
            "Library, device, network",
            "Minibatch",
            "ms",
            "forward",
            "backward, update",
            "ms per picture",
            "in 2016",
            "today ÷ 2016",
            "GFLOP/s",
            "in 2016",
        ]
        rows = [self._row(record) for record in self.measured]
        title = f"Today: {rst.escaped(self.machine.hardware)}"
        return rst.table(head, rows, title, "numbers")

    def _row(self, record: TrainingRecord) -> list[str]:
        cell = record.cell
        then = per_picture_then(cell)
        now = 1000 * record.per_picture
        flops = BENCHMARKS[cell.network].training_flops()
        return [
            f"{FRAMEWORKS[cell.framework].title} {cell.column}, "
            f"{TABLE_1_COLUMNS[cell.network]}",
            str(record.batch),
            formats.milliseconds(record.median),
            formats.milliseconds(record.forward_median),
            formats.milliseconds(record.backward_median),
            formats.plain(now),
            formats.plain(then) if then else NONE,
            formats.ratio(now / then) if then else NONE,
            formats.plain(record.flops_per_second / 1e9),
            formats.plain(flops / then / 1e6) if then else NONE,
        ]

    @property
    def versions(self) -> str:
        """Frameworks with their versions."""
        found = {
            f"{record.settings['framework']} {record.settings['version']}": None
            for record in self.measured
        }
        return formats.listing(list(found))

    @property
    def smaller(self) -> list[TrainingRecord]:
        """Records of fewer pictures than the benchmark had."""
        return [r for r in self.measured if r.batch < BENCHMARKS[r.cell.network].batch]

    @property
    def kept(self) -> str:
        """How many iterations the medians are taken from."""
        found = sorted({len(record.kept) for record in self.measured})
        return formats.listing(list(map(str, found)))

    def ratios(self, framework: str, column: str) -> list[float]:
        """Today's time per picture over that of 2016, of a framework's networks."""
        return [
            1000 * record.per_picture / then
            for record in self.measured
            if (record.cell.framework, record.cell.column) == (framework, column)
            and (then := per_picture_then(record.cell))
        ]

    @property
    def compared(self) -> list[tuple[str, str, list[float]]]:
        """Title of a framework, device, and the `ratios` where there are some."""
        pairs = itertools.product(TITLES.items(), ("CPU", "GPU", "cuDNN"))
        return [
            (title, column, ratios)
            for (title, name), column in pairs
            if (ratios := self.ratios(name, column))
        ]
