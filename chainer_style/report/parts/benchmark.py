"""What the parts on one benchmark's record have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from chainer_style.errors import UserError
from chainer_style.report.machines import Machine

R = TypeVar("R")


def context(
    machines: Sequence[Machine],
    file: Path,
    read: Callable[[Path], Sequence[R]],
    tables: Callable[[Machine, Sequence[R]], Sequence[str]],
) -> dict[str, Any]:
    """Return what ``benchmark.rst.j2`` prints.

    Parameters
    ----------
    machines
        Those that there are records of.
    file
        The record's, below its machine's folder.
    read
        Returns the rows of the record.
    tables
        Returns what to show of a machine's rows, as reStructuredText.
    """
    views, skipped = [], []
    for machine in machines:
        path = machine.folder / file
        if path.exists():
            try:
                rows = read(path)
            except UserError as error:
                skipped.append(str(error))
                continue
            views.append((machine.hardware, tables(machine, rows)))
    return {"views": views, "skipped": skipped}
