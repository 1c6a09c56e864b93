"""Measure one cell: style transfer for so many seconds, in a process of its own."""

from __future__ import annotations

import dataclasses
import datetime
import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainer_style import memory
from chainer_style.errors import UserError
from chainer_style.experiments.records import Record
from chainer_style.paper import Cell

if TYPE_CHECKING:
    from chainer_style.engines.base import Device

DROPPED = 1
"""First iterations left out of median and spread: they fill caches and pools."""

AT_LEAST = DROPPED + 3
"""Iterations that every cell does, however short its time."""

Progress = Callable[[float, int], None]
"""Called with the seconds gone and the iterations done."""


@dataclasses.dataclass(frozen=True)
class Task:
    """What to measure, and on which pictures.

    Attributes
    ----------
    cell
        Network, size and device.
    seconds
        How long to iterate.
    content, style
        Picture files.
    weights
        See `chainer_style.weights.load`.
    picture
        Where to leave what was painted.
    """

    cell: Cell
    seconds: float
    content: Path
    style: Path
    weights: str
    picture: Path


def measure(task: Task, progress: Progress) -> Record:
    """Measure a cell in a child process, so that its peak memory is its own.

    A cell that cannot run on this machine is no error: its record says why.

    Raises
    ------
    UserError
        If pictures or weights cannot be used.
    """
    if reason := unavailable(task.cell):
        return _record(task, reason=reason)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, task), daemon=True)
    child.start()
    theirs.close()
    try:
        while True:
            try:
                kind, content = ours.recv()
            except EOFError:
                child.join()
                reason = f"the process ended with code {child.exitcode}"
                return _record(task, reason=reason)
            if kind == "progress":
                progress(*content)
            elif kind == "error":
                raise UserError(content)
            else:
                record: Record = content
                return record
    finally:
        child.terminate()
        child.join()


def unavailable(cell: Cell) -> str | None:
    """Return why a cell cannot run on this machine, or None where it can."""
    from chainer_style.engines import devices

    missing = devices.obstacle(_device(cell))
    return None if missing is None else missing.reason


def _device(cell: Cell) -> Device:
    from chainer_style.engines.base import Device

    return Device(gpu=-1 if cell.column == "CPU" else 0, cudnn=cell.column == "cuDNN")


def _child(pipe: Connection, task: Task) -> None:
    try:
        record = run(task, lambda *state: pipe.send(("progress", state)))
        pipe.send(("record", record))
    except UserError as error:
        pipe.send(("error", str(error)))


def run(task: Task, progress: Progress) -> Record:
    """Measure a cell in this process."""
    from chainer_style import images, transfer

    cell = task.cell
    started = _now()
    device = _device(cell)
    job = transfer.prepare(
        task.content,
        task.style,
        protocol="2016",
        model=cell.network,
        width=cell.size,
        weights=task.weights,
        engine="chainer",
        device=device,
    )
    # Making seeded weights takes more than iterating.
    memory.forget_peak()
    seconds: list[float] = []
    gone = 0.0
    for iterate in job.run(sys.maxsize):
        seconds.append(iterate.seconds)
        gone += iterate.seconds
        progress(gone, len(seconds))
        if gone >= task.seconds and len(seconds) >= AT_LEAST:
            break
    task.picture.parent.mkdir(parents=True, exist_ok=True)
    images.save(iterate.picture, task.picture, iterate.label)
    settings = {
        "protocol": dataclasses.asdict(job.problem.protocol),
        "weights": job.problem.weights.as_record(),
        "engine": job.engine.name,
        "seed": job.seed,
        "content": task.content.name,
        "style": task.style.name,
        "picture": task.picture.name,
        "requested_seconds": task.seconds,
        "last_loss": iterate.losses.total,
    }
    return _record(
        task,
        started=started,
        seconds=seconds,
        dropped=DROPPED,
        peak_memory_bytes=_peak_memory(device.is_gpu),
        settings=settings,
    )


def _record(task: Task, *, started: str | None = None, **result: Any) -> Record:
    from chainer_style.provenance import environment

    return Record(
        cell=task.cell,
        environment=environment(),
        started=started or _now(),
        **result,
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _peak_memory(on_gpu: bool) -> int:
    if on_gpu:
        import cupy

        return int(cupy.get_default_memory_pool().total_bytes())
    return memory.peak()
