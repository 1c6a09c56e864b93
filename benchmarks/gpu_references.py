"""What loss and gradient have to be: Chainer's in double precision, on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from measuring import REFERENCE
from workers import Worker

from chainer_style import cores, files
from chainer_style.engines.base import Problem

if TYPE_CHECKING:
    from gpu_measuring import Cell, Settings

ALIKE = 1e-5
"""Relative difference of what a reference was computed from and what is there."""


@dataclass(frozen=True)
class Truth:
    """Loss and gradient at the picture to start from, in double precision."""

    loss: float
    gradient: npt.NDArray[Any]

    def deviations(
        self, loss: float, gradient: npt.NDArray[Any]
    ) -> tuple[float, float]:
        """Return those of somebody else's loss and gradient, relative."""
        off = np.linalg.norm(gradient - self.gradient)
        return self.off(loss), float(off / np.linalg.norm(self.gradient))

    def off(self, loss: float) -> float:
        """Return the deviation of somebody else's loss, relative."""
        return abs(loss / self.loss - 1)


def reference(cell: Cell, problem: Problem, settings: Settings) -> Truth:
    """Return loss and gradient by Chainer on the CPU, or as they were kept before.

    Raises
    ------
    WorkerError
        If they cannot be computed.
    """
    path = None
    marks = fingerprint(problem)
    if settings.references:
        path = settings.references / f"{cell.network}-{cell.size}.npz"
        if path.exists() and (kept := _kept(path, marks)):
            return kept
    settings.tell(REFERENCE.title)
    worker = Worker(
        REFERENCE, problem, cores.available(), settings.variables, check=True, first=0
    )
    worker.close()
    assert worker.start.loss is not None
    assert worker.start.gradient is not None
    truth = Truth(worker.start.loss, worker.start.gradient.astype(np.float32))
    if path:
        files.make_folder(path.parent)
        np.savez(path, loss=truth.loss, gradient=truth.gradient, marks=marks)
    return truth


def _kept(path: Path, marks: npt.NDArray[Any]) -> Truth | None:
    """Return what was kept, if it is of the same problem to rounding."""
    with np.load(path) as kept:
        size, other = np.abs(marks[:, 0]), kept["marks"]
        if other.shape != marks.shape:
            return None
        if (np.abs(other - marks) > ALIKE * size[:, None]).any():
            return None
        return Truth(float(kept["loss"]), kept["gradient"])


def fingerprint(problem: Problem) -> npt.NDArray[Any]:
    """Return two numbers of every array of a problem: its size, and one by place."""
    arrays = [problem.content, problem.style, problem.start]
    for _, own in sorted(problem.weights.arrays.items()):
        arrays += [own[key] for key in sorted(own)]
    marks = []
    for array in arrays:
        flat = np.asarray(array, np.float64).ravel()
        marks.append(
            [np.abs(flat).mean(), (flat * np.cos(np.arange(flat.size))).mean()]
        )
    return np.array(marks)
