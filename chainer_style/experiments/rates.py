"""Tables 4 and 5: iterations per minute on CPU, GPU and cuDNN."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from chainer_style import images, networks
from chainer_style.experiments import records
from chainer_style.experiments.measure import Task, measure, unavailable
from chainer_style.experiments.records import Record
from chainer_style.files import check_folder, make_folder
from chainer_style.paper import Cell, RateTable

SETTING_UP = 5.0
"""Rough seconds that a cell takes beside its iterations, for the time left."""


@dataclass(frozen=True)
class Plan:
    """What to measure, and where the records go.

    Attributes
    ----------
    seconds
        How long each cell iterates.
    content, style
        Picture files.
    weights
        See `chainer_style.weights.load`.
    results
        Folder of the records, one folder per machine below it.
    quiet
        Show no progress bars.
    """

    seconds: float
    content: Path
    style: Path
    weights: str
    results: Path
    quiet: bool = False


def run(tables: Iterable[RateTable], plan: Plan) -> Iterator[Record]:
    """Measure every cell of some tables once, and save each record at once.

    Yields
    ------
    Record
        One per cell, those that cannot run here included.

    Raises
    ------
    UserError
        If pictures or weights cannot be used, or records not be saved.
    """
    check(plan)
    make_folder(plan.results)
    cells = tuple(dict.fromkeys(cell for table in tables for cell in table.cells))
    runnable = [cell for cell in cells if not unavailable(cell)]
    for cell in cells:
        left = len(runnable) - runnable.index(cell) if cell in runnable else 0
        record = _measure(cell, plan, left, len(runnable))
        records.save(record, plan.results)
        yield record


def check(plan: Plan) -> None:
    """See that pictures can be read and records be saved; leave nothing behind.

    Raises
    ------
    UserError
        If not.
    """
    for picture in (plan.content, plan.style):
        images.read(picture)
    check_folder(plan.results)


def _measure(cell: Cell, plan: Plan, left: int, count: int) -> Record:
    from chainer_style.provenance import machine_name

    folder = plan.results / machine_name()
    task = Task(
        cell=cell,
        seconds=plan.seconds,
        content=plan.content,
        style=plan.style,
        weights=plan.weights,
        picture=folder / f"{cell.key}.png",
    )
    if not left:
        return measure(task, lambda *_: None)
    later = (left - 1) * (plan.seconds + SETTING_UP)
    with tqdm(
        total=round(plan.seconds, 1),
        desc=f"[{count - left + 1}/{count}] {title(cell)}",
        bar_format="{desc}: {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}{postfix}]",
        dynamic_ncols=True,
        mininterval=0.1 if sys.stderr.isatty() else 10,
        disable=plan.quiet,
    ) as bar:

        def show(gone: float, iterations: int) -> None:
            here = max(plan.seconds - gone, 0)
            bar.set_postfix_str(
                f"{iterations} iterations, {60 * iterations / gone:.1f}/min, "
                f"all done in {_clock(here + later)}",
                refresh=False,
            )
            bar.update(min(gone, plan.seconds) - bar.n)

        bar.set_postfix_str(
            f"setting up, all done in {_clock(later + plan.seconds + SETTING_UP)}"
        )
        return measure(task, show)


def title(cell: Cell) -> str:
    """Return a cell's name to print."""
    return f"{networks.get(cell.network).title} {cell.size} px {cell.column}"


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds))).removeprefix("0:")


def summary(found: Sequence[Record]) -> Iterator[str]:
    """Yield one line per record, for the terminal."""
    for record in found:
        if record.measured:
            yield (
                f"{title(record.cell):<24} {record.rate:10.1f} iterations/min "
                f"({1000 * record.median:.0f} ms each, {len(record.kept)} measured)"
            )
        else:
            yield f"{title(record.cell):<24} not measured: {record.reason}"
