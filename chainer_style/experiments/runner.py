"""Run experiments cell by cell, and go on where an interrupted run stopped."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from chainer_style.errors import UserError
from chainer_style.experiments import child, journal, records
from chainer_style.experiments.base import Experiment, Progress
from chainer_style.experiments.catalogue import RECORDS
from chainer_style.experiments.records import Record
from chainer_style.files import check_folder, make_folder


@dataclass(frozen=True)
class Job:
    """One cell of one experiment."""

    experiment: Experiment[Any]
    cell: Any

    @property
    def title(self) -> str:
        """Name of the cell, to print."""
        return self.experiment.title(self.cell)

    @property
    def path(self) -> str:
        """Where its record lies, below the machine's folder."""
        return f"{self.experiment.name}/{self.cell.key}.json"


def jobs(experiments: Sequence[Experiment[Any]]) -> list[Job]:
    """Return the cells of all experiments, each once."""
    found: dict[str, Job] = {}
    for job in (Job(e, cell) for e in experiments for cell in e.cells()):
        found.setdefault(job.path, job)
    return list(found.values())


def check(experiments: Sequence[Experiment[Any]], results: Path) -> None:
    """See that options can be used and records be saved; leave nothing behind.

    Raises
    ------
    UserError
        If not.
    """
    for experiment in experiments:
        experiment.check()
    check_folder(results)


def run(
    experiments: Sequence[Experiment[Any]],
    results: Path,
    *,
    quiet: bool = False,
    afresh: bool = False,
) -> Iterator[tuple[Job, Record[Any]]]:
    """Measure every cell of some experiments, and save each record at once.

    Where the last run of the same experiments, options and code was interrupted,
    the records that it left are taken over.

    Parameters
    ----------
    experiments
        What to run.
    results
        Folder of the records, one folder per machine below it.
    quiet
        Show no progress bars.
    afresh
        Take nothing over.

    Yields
    ------
    tuple of (Job, Record)
        One per cell, those that cannot run here included.

    Raises
    ------
    UserError
        If something given cannot be used, or records not be saved.
    """
    from chainer_style.provenance import machine_name

    check(experiments, results)
    folder = results / machine_name()
    make_folder(folder)
    log = journal.Journal(folder / journal.NAME, journal.plan_of(experiments))
    todo = jobs(experiments)
    left = {} if afresh else {path: _left(folder / path) for path in log.done()}
    there = {path: record for path, record in left.items() if record}
    log.begin(there)
    if there and not quiet:
        words = f"going on where the last run stopped: {len(there)} of {len(todo)} done"
        tqdm.write(words, file=sys.stderr)
    bars = _Bars([job for job in todo if job.path not in there], quiet)
    for job in todo:
        if (record := there.get(job.path)) is None:
            own = folder / job.experiment.name
            make_folder(own)
            with bars.of(job) as progress:
                record = child.measure(job.experiment, job.cell, own, progress)
            records.save(record, results)
            log.add(job.path)
        yield job, record
    log.end()


def _left(path: Path) -> Record[Any] | None:
    """Return a record of the interrupted run, if it is whole."""
    try:
        return records.load(path, RECORDS)
    except UserError:
        return None


class _Bars:
    """One progress bar per cell, each with the time until all are done."""

    def __init__(self, todo: Sequence[Job], quiet: bool) -> None:
        self._quiet = quiet
        self._estimates = {
            job.path: job.experiment.estimate(job.cell)
            for job in todo
            if not job.experiment.obstacle(job.cell)
        }
        self._count = len(self._estimates)

    @contextlib.contextmanager
    def of(self, job: Job) -> Iterator[Progress]:
        """Show the bar of a cell while it is measured."""
        own = self._estimates.pop(job.path, None)
        later = sum(self._estimates.values())
        number = self._count - len(self._estimates)
        with tqdm(
            total=1,
            desc=f"[{number}/{self._count}] {job.title}",
            bar_format="{desc}: {percentage:3.0f}%|{bar}| [{elapsed}{postfix}]",
            dynamic_ncols=True,
            mininterval=0.1 if sys.stderr.isatty() else 10,
            disable=self._quiet or own is None,
        ) as bar:

            def show(share: float, words: str) -> None:
                here = (own or 0) * max(1 - share, 0)
                bar.set_postfix_str(
                    f"{words}, all done in {_clock(here + later)}", refresh=False
                )
                bar.update(min(share, 1) - bar.n)

            show(0, "setting up")
            bar.refresh()
            yield show


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds))).removeprefix("0:")
