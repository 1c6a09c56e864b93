"""Measure one network, size and number of threads with all contenders."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from contenders import LEAN, Contender, OfThisPackage
from workers import PAUSE, Start, Worker, WorkerError, interleaved

from chainer_style import memory, networks, transfer
from chainer_style.engines.base import Problem
from chainer_style.errors import UserError
from chainer_style.experiments import ceilings, streams
from chainer_style.experiments.ceilings import Run
from chainer_style.report import formats

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
CONTENT, STYLE = SAMPLES / "lighthouse.jpg", SAMPLES / "swirls.jpg"

BOUND = 1e-4
"""Largest relative deviation of loss or gradient with which a contender is timed."""

PATIENCE = 3
"""Who needs more than so many times the seconds asked for has fewer turns."""

FEWEST = 3
"""Turns that everyone has."""

AT_MOST = 50
"""Iterations of a turn that are enough."""

ALONE = 1
"""Iterations behind the first ones, after which a process' memory is read."""

REFERENCE = Contender(
    "reference",
    "Chainer in double precision",
    "chainer",
    LEAN,
    OfThisPackage("chainer", "float64"),
)
"""Says what loss and gradient have to be."""


@dataclass(frozen=True)
class Cell:
    """What is measured at once; see `chainer_style.report.contest.Contest`."""

    network: str
    size: int
    threads: int

    @property
    def key(self) -> str:
        """Name of its record."""
        plural = "s" * (self.threads != 1)
        return f"{self.network}-{self.size}-{self.threads}-thread{plural}"

    @property
    def title(self) -> str:
        """Name to print."""
        plural = "s" * (self.threads != 1)
        title = networks.get(self.network).title
        return f"{title}, {self.size} px, {self.threads} thread{plural}"


@dataclass(frozen=True)
class Settings:
    """How it is measured.

    Attributes
    ----------
    rounds
        Turns of everyone who is not too slow.
    seconds
        Of one turn, roughly.
    weights
        See `chainer_style.weights.load`.
    """

    rounds: int
    seconds: float
    weights: str


@dataclass(frozen=True)
class Match:
    """Contenders for one cell.

    Attributes
    ----------
    cell
        What to measure.
    problem
        What everyone optimises.
    variables
        Of the environment of all processes.
    tell
        Shown what is done at the moment.
    """

    cell: Cell
    problem: Problem
    variables: Mapping[str, str]
    tell: Callable[[str], None] = lambda line: print(f"  {line}", flush=True)

    def worker(self, contender: Contender, **more: Any) -> Worker:
        """Start a contender."""
        threads = self.cell.threads
        return Worker(contender, self.problem, threads, self.variables, **more)

    def reference(self) -> Start:
        """Return loss and gradient in double precision."""
        self.tell(REFERENCE.title)
        worker = self.worker(REFERENCE, first=0)
        worker.close()
        return worker.start

    def alone(self, contender: Contender) -> int:
        """Return the most memory that a process of its own takes."""
        if contender.compiles:
            self.tell(f"{contender.title}, compiled")
            self.worker(contender, check=False, first=1).close()
        self.tell(f"{contender.title}, alone")
        worker = self.worker(contender, check=False)
        try:
            worker.turn(ALONE)
            return worker.peak()
        finally:
            worker.close()

    def set_up(
        self, contender: Contender, needed: int, true: Start
    ) -> tuple[Worker, dict[str, Any]]:
        """Return a contender that is ready, and what it said.

        Raises
        ------
        WorkerError
            If there is no memory for it, or its loss or gradient is another one.
        """
        self.tell(f"{contender.title}, set up")
        left = memory.available()
        if left is not None and needed > left:
            wanted, there = formats.gibibytes(needed), formats.gibibytes(left)
            raise WorkerError(f"needs {wanted} beside the others, {there} are left")
        worker = self.worker(contender)
        said = _compared(worker.start, true)
        for what in ("loss", "first_loss", "gradient"):
            if not said[f"{what}_deviation"] <= BOUND:
                worker.close()
                raise WorkerError(f"its {what} is off by {said[f'{what}_deviation']}")
        return worker, said


def _compared(start: Start, true: Start) -> dict[str, Any]:
    """Return what a worker said, beside the reference."""
    assert true.loss
    assert start.loss
    assert start.first_loss
    difference = np.linalg.norm(start.gradient - true.gradient)
    return {
        "loss": start.loss,
        "loss_deviation": abs(start.loss / true.loss - 1),
        "first_loss_deviation": abs(start.first_loss / true.loss - 1),
        "gradient_deviation": float(difference / np.linalg.norm(true.gradient)),
        "set_up_seconds": start.set_up_seconds,
        "first_seconds": start.first_seconds,
        "pools": start.pools,
    }


def measure(
    cell: Cell,
    contenders: Sequence[Contender],
    settings: Settings,
    variables: Mapping[str, str],
) -> dict[str, Any]:
    """Return the content of a cell's record.

    Parameters
    ----------
    cell
        What to measure.
    contenders
        Who takes part.
    settings
        How long.
    variables
        Of the environment of all processes.

    Raises
    ------
    UserError
        If the weights cannot be used.
    """
    entries = {
        c.name: {"name": c.name, "title": c.title, "family": c.family, "reason": None}
        for c in contenders
    }
    asked = LEAN.with_options(
        model=cell.network, width=cell.size, weights=settings.weights
    )
    runs: tuple[Run, ...] = ()
    weights = None
    try:
        transfer.network_for(asked).check_size(cell.size, cell.size)
    except UserError as error:
        for entry in entries.values():
            entry["reason"] = str(error)
    else:
        problem = transfer.pose(CONTENT, STYLE, protocol=asked)
        weights = problem.weights.as_record()
        _compete(Match(cell, problem, variables), contenders, entries, settings)
        with streams.OnCpu(cell.threads) as bench:
            each = min(settings.seconds, ceilings.SECONDS)
            runs = ceilings.repeat(bench, ceilings.SIZES["CPU"], each)
    return {
        "cell": dataclasses.asdict(cell),
        "settings": {
            "protocol": dataclasses.asdict(asked),
            "weights": weights,
            "content": CONTENT.name,
            "style": STYLE.name,
            "rounds": settings.rounds,
            "seconds": settings.seconds,
            "pause": PAUSE,
            "bound": BOUND,
        },
        "contenders": list(entries.values()),
        "ceiling": [dataclasses.asdict(run) for run in runs],
    }


def _compete(
    match: Match,
    contenders: Sequence[Contender],
    entries: Mapping[str, dict[str, Any]],
    settings: Settings,
) -> None:
    """Set everyone up, let them take turns, and write it all down."""
    workers: dict[str, Worker] = {}
    try:
        true = match.reference()
    except WorkerError as error:
        for entry in entries.values():
            entry["reason"] = f"there is nothing to compare it with: {error}"
        return
    try:
        for contender in contenders:
            entry = entries[contender.name]
            if reason := contender.obstacle():
                entry["reason"] = reason
                continue
            try:
                entry["peak_memory_bytes"] = needed = match.alone(contender)
                worker, said = match.set_up(contender, needed, true)
                workers[contender.name] = worker
                entry.update(said)
            except WorkerError as error:
                entry["reason"] = str(error)
        match.tell("in turns")
        take_turns(workers, entries, settings)
    finally:
        for worker in workers.values():
            worker.close()


def take_turns(
    workers: Mapping[str, Worker],
    entries: Mapping[str, dict[str, Any]],
    settings: Settings,
) -> None:
    """Let all workers have their turns, and write down what they did."""
    last = {name: worker.start.last_seconds for name, worker in workers.items()}
    lengths = {name: length(one, settings.seconds) for name, one in last.items()}
    turns = {
        name: count(lengths[name] * one, settings.rounds, settings.seconds)
        for name, one in last.items()
    }
    found, failed = interleaved(workers, turns, lengths)
    for name, own in found.items():
        entries[name]["turns"] = [turn.seconds for turn in own]
        entries[name]["idle_seconds"] = [turn.idle for turn in own]
        entries[name]["reason"] = failed.get(name)


def mean_turns(
    makers: Mapping[str, Callable[[], Worker]], rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Let workers have turns, and return the seconds of an iteration in each.

    Parameters
    ----------
    makers
        By name, what starts a worker.
    rounds
        Turns of each.
    seconds
        Of a turn, roughly.

    Raises
    ------
    WorkerError
        If a process ended.
    """
    workers: dict[str, Worker] = {}
    try:
        for name, make in makers.items():
            workers[name] = make()
        lengths = {
            name: length(worker.start.last_seconds, seconds)
            for name, worker in workers.items()
        }
        turns = dict.fromkeys(workers, rounds)
        found, failed = interleaved(workers, turns, lengths)
    finally:
        for worker in workers.values():
            worker.close()
    for reason in failed.values():
        raise WorkerError(reason)
    return {
        # The first iteration of a turn finds caches full of what others left.
        name: [statistics.fmean(turn.seconds[1:] or turn.seconds) for turn in own]
        for name, own in found.items()
    }


def length(one: float, seconds: float) -> int:
    """Return the iterations of a turn: with one to leave out where they are short."""
    if one >= seconds:
        return 1
    return min(round(seconds / one), AT_MOST) + 1


def count(turn: float, rounds: int, seconds: float) -> int:
    """Return the turns of who needs so many seconds for one."""
    affordable = int(PATIENCE * rounds * seconds / turn)
    return min(rounds, max(affordable, FEWEST))
