"""Measure one network, size and precision on a card with all contenders."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gpu_memory
from contenders import LEAN
from gpu_contenders import CardContender
from gpu_memory import Meter
from gpu_references import Truth, reference
from measuring import CONTENT, STYLE, count
from workers import Worker, WorkerError, interleaved

from chainer_style import cores, networks, transfer
from chainer_style.engines.base import Problem
from chainer_style.errors import UserError
from chainer_style.experiments.ceilings import Run
from chainer_style.weights import Weights

BOUNDS = {"float32": 1e-3, "tf32": 1e-2, "fp16": 2e-2, "bf16": 5e-2}
"""Largest relative deviation of loss or gradient with which a time counts. A ReLU whose
input is almost 0 may switch by rounding: of float32 that is most of it."""

FIRST = 5
"""Iterations before anything is timed: graphs are recorded in the third."""

AT_MOST = 5000
"""Iterations of a turn that are enough."""

_WEIGHTS: dict[tuple[str, str], Weights] = {}
"""Seeded ones take some seconds, and every size has the same."""


@dataclass(frozen=True)
class Cell:
    """What is measured at once; see `chainer_style.report.races.Race`."""

    network: str
    size: int
    precision: str

    @property
    def key(self) -> str:
        """Name of its record."""
        return f"{self.network}-{self.size}-{self.precision}"

    @property
    def title(self) -> str:
        """Name to print."""
        return f"{networks.get(self.network).title}, {self.size} px, {self.precision}"


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
    references
        Folder with losses and gradients in double precision that were computed before;
        None: they are computed each time.
    variables
        Of the environment of all processes.
    tell
        Shown what is done at the moment.
    """

    rounds: int
    seconds: float
    weights: str
    references: Path | None
    variables: Mapping[str, str]
    tell: Callable[[str], None] = lambda line: print(f"  {line}", flush=True)


def pose(cell: Cell, weights: str) -> Problem:
    """Return what is optimised: protocol 2016 without waste.

    Raises
    ------
    UserError
        If the picture is too small for the network, or the weights cannot be used.
    """
    asked = LEAN.with_options(model=cell.network, width=cell.size, weights=weights)
    transfer.network_for(asked).check_size(cell.size, cell.size)
    key = cell.network, weights
    problem = transfer.pose(CONTENT, STYLE, protocol=asked, weights=_WEIGHTS.get(key))
    _WEIGHTS[key] = problem.weights
    return problem


def measure(
    cell: Cell,
    contenders: Sequence[CardContender],
    settings: Settings,
    meter: Meter,
    ceiling: Sequence[Run],
) -> dict[str, Any]:
    """Return the content of a cell's record.

    Parameters
    ----------
    cell
        What to measure.
    contenders
        Who takes part.
    settings
        How.
    meter
        Tells what is taken of the card's memory.
    ceiling
        Products and streams of the card.

    Raises
    ------
    UserError
        If the weights cannot be used.
    """
    entries = {
        c.name: {
            "name": c.name,
            "title": c.title,
            "family": c.family,
            "precision": c.precision,
            "reason": c.obstacle(),
        }
        for c in contenders
    }
    weights = None
    able = [c for c in contenders if not entries[c.name]["reason"]]
    try:
        problem = pose(cell, settings.weights)
        weights = problem.weights.as_record()
        truth = reference(cell, problem, settings)
        _race(cell, problem, able, entries, truth, settings, meter)
    except (UserError, WorkerError) as error:
        for entry in entries.values():
            entry["reason"] = entry["reason"] or str(error)
    return {
        "cell": dataclasses.asdict(cell),
        "settings": {
            "protocol": dataclasses.asdict(LEAN),
            "weights": weights,
            "content": CONTENT.name,
            "style": STYLE.name,
            "rounds": settings.rounds,
            "seconds": settings.seconds,
            "bounds": BOUNDS,
        },
        "card": meter.describe(),
        "contenders": list(entries.values()),
        "ceiling": [dataclasses.asdict(run) for run in ceiling],
    }


def started(contender: CardContender, problem: Problem, settings: Settings) -> Worker:
    """Return a process that imports what it needs, and then waits."""
    return Worker(
        contender,
        problem,
        cores.available(),
        settings.variables,
        check=False,
        first=FIRST,
        whole=True,
        waits=True,
    )


def _race(
    cell: Cell,
    problem: Problem,
    contenders: Sequence[CardContender],
    entries: Mapping[str, dict[str, Any]],
    truth: Truth,
    settings: Settings,
    meter: Meter,
) -> None:
    """Set everyone up, let them take turns, compare them, and write it all down."""
    workers = {c.name: started(c, problem, settings) for c in contenders}
    try:
        for name, worker in list(workers.items()):
            with noting(entries, workers, name):
                worker.ready()
        for contender in contenders:
            if contender.name in workers:
                settings.tell(f"{contender.title}, set up")
                with noting(entries, workers, contender.name):
                    set_up(workers[contender.name], entries[contender.name], meter)
        settings.tell("in turns")
        take_turns(workers, entries, settings)
        for contender in contenders:
            if contender.name in workers:
                with noting(entries, workers, contender.name):
                    compare(workers[contender.name], contender, entries, truth)
    finally:
        for worker in workers.values():
            worker.close()


@contextlib.contextmanager
def noting(
    entries: Mapping[str, dict[str, Any]], workers: dict[str, Worker], name: str
) -> Iterator[None]:
    """Take whoever fails out of the race, and note why."""
    try:
        yield
    except WorkerError as error:
        entries[name]["reason"] = str(error)
        workers.pop(name).close()


def set_up(worker: Worker, entry: dict[str, Any], meter: Meter) -> None:
    """Let a contender set up, and note what it took of the card's memory."""
    with gpu_memory.watched(meter, worker.pid) as taken:
        start = worker.set_up()
    entry.update(
        process_bytes=taken.process,
        card_bytes=taken.card,
        held_bytes=taken.held,
        set_up_seconds=start.set_up_seconds,
        first_seconds=start.first_seconds,
    )


def take_turns(
    workers: Mapping[str, Worker],
    entries: Mapping[str, dict[str, Any]],
    settings: Settings,
) -> None:
    """Let all workers have their turns, and write down what they did."""
    last = {name: worker.start.last_seconds for name, worker in workers.items()}
    lengths = {n: length(one, settings.seconds) for n, one in last.items()}
    turns = {
        name: count(lengths[name] * one, settings.rounds, settings.seconds)
        for name, one in last.items()
    }
    found, failed = interleaved(workers, turns, lengths)
    for name, own in found.items():
        entries[name]["iterations"] = lengths[name]
        entries[name]["turns"] = [turn.seconds[0] for turn in own]
        entries[name]["reason"] = failed.get(name)


def length(one: float, seconds: float) -> int:
    """Return the iterations of a turn."""
    return max(1, min(round(seconds / one), AT_MOST))


def compare(
    worker: Worker,
    contender: CardContender,
    entries: Mapping[str, dict[str, Any]],
    truth: Truth,
) -> None:
    """Ask a contender for loss and gradient; who is off has no times.

    It comes last: what it takes of memory, no iteration needs.

    Raises
    ------
    WorkerError
        If it is off, or cannot tell.
    """
    entry = entries[contender.name]
    if entry["reason"]:
        return
    loss, gradient = truth.deviations(*worker.evaluate())
    first = worker.start.first_loss
    assert first is not None
    found = {"loss": loss, "gradient": gradient, "first loss": truth.off(first)}
    entry.update(
        loss_deviation=loss,
        gradient_deviation=gradient,
        first_loss_deviation=found["first loss"],
    )
    for what, off in found.items():
        if not off <= BOUNDS[contender.precision]:
            raise WorkerError(f"its {what} is off by {off:.1e}")


def compile_ahead(
    cells: Sequence[tuple[Cell, Sequence[CardContender]]], settings: Settings
) -> None:
    """Let all that compile do it at once, so that what is timed finds it ready.

    Parameters
    ----------
    cells
        What is to be measured, and with whom.
    settings
        How.
    """
    workers: list[Worker] = []
    for cell, contenders in cells:
        able = [c for c in contenders if c.compiles and not c.obstacle()]
        try:
            problem = pose(cell, settings.weights) if able else None
        except UserError:
            continue
        workers += [started(c, problem, settings) for c in able if problem]
    if workers:
        settings.tell(f"compiled ahead: {len(workers)}")
    for ask in (Worker.ready, Worker.begin, Worker.wait):
        for worker in list(workers):
            try:
                ask(worker)
            except (WorkerError, OSError):  # it will fail again, and be told then
                workers.remove(worker)
    for worker in workers:
        worker.close()
