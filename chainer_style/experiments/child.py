"""Measure a cell in a child process, whose memory and whose end are its own."""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from chainer_style.errors import UserError
from chainer_style.experiments import records
from chainer_style.experiments.base import Experiment, Progress
from chainer_style.experiments.records import Record


def measure(
    experiment: Experiment[Any], cell: Any, folder: Path, progress: Progress
) -> Record[Any]:
    """Measure a cell of an experiment.

    A cell that cannot run on this machine, or whose process ends, is no error: its
    record says why.

    Raises
    ------
    UserError
        If what the user gave cannot be used.
    """
    if reason := experiment.obstacle(cell):
        return experiment.result(cell, reason=reason)  # type: ignore[no-any-return]
    started = records.now()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(
        target=_child, args=(theirs, experiment, cell, folder), daemon=True
    )
    child.start()
    theirs.close()
    try:
        while True:
            try:
                kind, content = ours.recv()
            except EOFError:
                child.join()
                return experiment.result(  # type: ignore[no-any-return]
                    cell, reason=ended(child.exitcode), started=started
                )
            if kind == "progress":
                progress(*content)
            elif kind == "error":
                raise UserError(content)
            else:
                return records.started(content, started)
    finally:
        child.terminate()
        child.join()


def ended(code: int | None) -> str:
    """Say how a process ended that sent no record."""
    if code is not None and code < 0:
        return f"the process was ended by {signal.Signals(-code).name}"
    return f"the process ended with code {code}"


def _child(
    pipe: Connection, experiment: Experiment[Any], cell: Any, folder: Path
) -> None:
    # Ctrl-C reaches all processes of a terminal; the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        record = experiment.measure(
            cell, folder, lambda *state: pipe.send(("progress", state))
        )
    except UserError as error:
        pipe.send(("error", str(error)))
    except MemoryError:
        record = experiment.result(cell, reason="out of memory")
        pipe.send(("record", record))
    else:
        pipe.send(("record", record))
