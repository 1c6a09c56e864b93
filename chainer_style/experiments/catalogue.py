"""Every experiment that there is, by the names that its records and users have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainer_style.experiments.base import Experiment
from chainer_style.experiments.figures import FigureRecord, Figures
from chainer_style.experiments.rates import RateRecord, Rates
from chainer_style.experiments.records import Record
from chainer_style.paper import RATE_TABLES

RECORDS: dict[str, type[Record[Any]]] = {
    kind.experiment: kind for kind in (RateRecord, FigureRecord)
}
"""Class of the records, by experiment."""


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
        See `chainer_style.weights.load`.
    full
        Whole protocols: five minutes per cell, the batches of 2016, all digits.
    """

    seconds: float
    content: Path
    style: Path
    weights: str
    full: bool = False


Part = Callable[[Options], Sequence[Experiment[Any]]]


def _rates(number: int) -> Part:
    def part(options: Options) -> list[Experiment[Any]]:
        return [
            Rates(
                chosen=RATE_TABLES[number].cells,
                seconds=options.seconds,
                content=options.content,
                style=options.style,
                weights=options.weights,
            )
        ]

    return part


def _figure(number: int) -> Part:
    def part(options: Options) -> list[Experiment[Any]]:
        # Untrained filters do for timing; a figure is painted with the best at hand.
        weights = "auto" if options.weights == "seeded" else options.weights
        return [
            Figures(
                number=number,
                content=options.content,
                style=options.style,
                weights=weights,
                full=options.full,
            )
        ]

    return part


PARTS: dict[str, Part] = {
    **{f"figure{number}": _figure(number) for number in range(1, 7)},
    "table4": _rates(4),
    "table5": _rates(5),
}
"""The parts of the paper that ``chainer-style reproduce`` can be asked for."""


def experiments_of(parts: Sequence[str], options: Options) -> list[Experiment[Any]]:
    """Return the experiments behind some parts of the paper, all without any."""
    return [e for part in parts or PARTS for e in PARTS[part](options)]
