"""Every experiment that there is, by the names that its records and users have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainer_style import added
from chainer_style.experiments import past
from chainer_style.experiments.base import Experiment
from chainer_style.experiments.ceilings import CeilingRecord, Ceilings
from chainer_style.experiments.digits import FEW, DigitsRecord, Learning
from chainer_style.experiments.figures import FigureRecord, Figures
from chainer_style.experiments.limits import LimitRecord, Limits
from chainer_style.experiments.past import Past, PastRecord
from chainer_style.experiments.rates import RateRecord, Rates
from chainer_style.experiments.records import Record
from chainer_style.experiments.setup import Setup, SetupRecord
from chainer_style.experiments.training import Training, TrainingRecord, table1
from chainer_style.experiments.workspace import WorkspaceRecord, Workspaces
from chainer_style.paper import RATE_TABLES

RECORDS: dict[str, type[Record[Any]]] = {
    kind.experiment: kind
    for kind in (
        TrainingRecord,
        SetupRecord,
        RateRecord,
        FigureRecord,
        WorkspaceRecord,
        LimitRecord,
        PastRecord,
        DigitsRecord,
        CeilingRecord,
    )
}
"""Class of the records, by experiment."""


FOR_TIMING = "seeded"
"""Weights of what is only timed: all are as fast, and these are there at once."""

FOR_PAINTING = "auto"
"""Weights of the figures: trained ones where they are, else self-taught."""


@dataclass(frozen=True)
class Options:
    """What a user may choose for a run of the experiments.

    Attributes
    ----------
    seconds
        How long a cell of Tables 4 and 5 iterates.
    content, style
        Picture files.
    weights
        See `chainer_style.weights.load`; None: `FOR_TIMING` and `FOR_PAINTING`.
    full
        Whole protocols: five minutes per cell, the batches of 2016, all digits.
    mnist
        Folder of MNIST's files; by default they are looked for and fetched.
    """

    seconds: float
    content: Path
    style: Path
    weights: str | None
    full: bool = False
    mnist: Path | None = None


Part = Callable[[Options], Sequence[Experiment[Any]]]


def _rates(number: int) -> Part:
    def part(options: Options) -> list[Experiment[Any]]:
        chosen = (
            added.cells(RATE_TABLES[number]),
            options.seconds,
            options.content,
            options.style,
            options.weights or FOR_TIMING,
        )
        return [Rates(*chosen), Workspaces(*chosen)]

    return part


def _figure(number: int) -> Part:
    def part(options: Options) -> list[Experiment[Any]]:
        return [
            Figures(
                number=number,
                content=options.content,
                style=options.style,
                weights=options.weights or FOR_PAINTING,
                full=options.full,
            )
        ]

    return part


def _table1(options: Options) -> list[Experiment[Any]]:
    return [Training(table1(), options.full)]


def _limits(options: Options) -> list[Experiment[Any]]:
    # 435 px is what the program paints unless told otherwise.
    weights = options.weights or FOR_TIMING
    sizes = (64, 128, 256, 435, 512) if options.full else (64, 128, 256, 512)
    return [Limits(options.content, options.style, weights, sizes)]


def _past(*cells: past.PastCell) -> Part:
    def part(options: Options) -> list[Experiment[Any]]:
        # What was not asked for must not replace the record of an hour's run.
        chosen = cells or (past.CELLS if options.full else past.FEW)
        weights = options.weights or FOR_TIMING
        return [Past(options.content, options.style, weights, chosen)]

    return part


def _mnist(options: Options) -> list[Experiment[Any]]:
    return [Learning(mnist=options.mnist, limit=None if options.full else FEW)]


PARTS: dict[str, Part] = {
    "table1": _table1,
    "table2": lambda options: [Setup()],
    "table3": lambda options: [Setup()],
    **{f"figure{number}": _figure(number) for number in range(1, 7)},
    "table4": _rates(4),
    "table5": _rates(5),
    "figure7": _rates(4),
    "figure8": _rates(5),
    "limits": _limits,
    "past": _past(),
    "mnist": _mnist,
    "ceilings": lambda options: [Ceilings()],
}
"""The parts of the paper that ``chainer-style reproduce`` can be asked for."""

SINGLE: dict[str, Part] = {cell.part: _past(cell) for cell in past.CELLS}
"""Cells that it can be asked for one by one; part ``past`` has them all."""

NAMES: dict[str, Part] = {**PARTS, **SINGLE}
"""All that it can be asked for."""


def experiments_of(parts: Sequence[str], options: Options) -> list[Experiment[Any]]:
    """Return the experiments behind some names, those of all parts without any."""
    return [e for name in parts or PARTS for e in NAMES[name](options)]
