"""Which of cuDNN's plans is the fastest: tried once, and remembered on disk."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chainer_style import files
from chainer_style.engines.cuda.convolutions import WORKSPACE, Built
from chainer_style.engines.cuda.formats import Format
from chainer_style.engines.cuda.steps import Convolution
from chainer_style.errors import UserError

FOLDER = "cudnn"
"""In the user's cache."""

TRIED = 8
"""Plans that are timed, in the order in which cuDNN proposes them."""

Timer = Callable[[Callable[[], None]], float]
"""Returns the seconds that the device takes for something."""

Execute = Callable[[int], Callable[[], None]]
"""Returns what runs a plan of some graph."""


class Tuner:
    """Chooses plans for one device.

    Parameters
    ----------
    device
        What the choice depends on: the card, and the versions of its libraries.
    form
        Of features.
    timer
        Of the device.
    """

    def __init__(self, device: str, form: Format, timer: Timer) -> None:
        self._timer = timer
        name = hashlib.sha256(f"{device} {form.name}".encode()).hexdigest()[:16]
        self._path = files.cache_folder() / FOLDER / f"{name}.json"
        self._chosen: dict[str, str] = read(self._path)

    def choose(self, step: Convolution, built: Built, execute: Execute) -> int:
        """Return the index of the plan to run, which is built then.

        Parameters
        ----------
        step, built
            What is computed, and its graph.
        execute
            How a plan of the graph is tried.

        Raises
        ------
        RuntimeError
            If none of the plans that cuDNN proposed can be built.
        """
        key = json.dumps([*kind_of(step), built.fused])
        if (known := self._chosen.get(key)) is not None:
            index = self._named(built, known)
            if index is not None:
                return index
        times = {}
        for index in self._buildable(built):
            with contextlib.suppress(Exception):  # of a plan that is no good after all
                times[index] = self._timer(execute(index))
        if not times:
            raise RuntimeError(f"cuDNN can compute {step.name} {step.way} in no way")
        best = min(times, key=lambda index: times[index])
        self._chosen[key] = built.graph.get_plan_name_at_index(best)
        # Meanwhile another program may have chosen for other convolutions.
        self._chosen = read(self._path) | self._chosen
        write(self._path, self._chosen)
        return best

    def _named(self, built: Built, name: str) -> int | None:
        """Build the plan of that name; None if there is none any more."""
        graph = built.graph
        for index in range(graph.get_execution_plan_count()):
            if graph.get_plan_name_at_index(index) == name:
                return index if _build(built, index) else None
        return None

    def _buildable(self, built: Built) -> Iterator[int]:
        """Yield the first plans that can be built, as they are."""
        found = 0
        for index in range(built.graph.get_execution_plan_count()):
            if found < TRIED and _build(built, index):
                found += 1
                yield index


def kind_of(step: Convolution) -> tuple[Any, ...]:
    """Return what a convolution's graph depends on."""
    geometry = dataclasses.astuple(step.geometry)
    return (*geometry, step.way, step.rectified, step.mask is not None)


def _build(built: Built, index: int) -> bool:
    """Build a plan; return whether that, and the space it works in, can be had."""
    graph = built.graph
    try:
        graph.build_plan_at_index(index)
    except Exception:  # of a kind that differs from release to release
        return False
    # What it takes is known, and so ruled out, only now.
    return bool(graph.get_workspace_size_plan_at_index(index) <= WORKSPACE)


def read(path: Path) -> dict[str, str]:
    """Return what was chosen; a file that cannot be used is as good as none."""
    try:
        found: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(found) if isinstance(found, dict) else {}


def write(path: Path, chosen: dict[str, str]) -> None:
    """Remember what was chosen, if the folder may be written."""
    with contextlib.suppress(OSError, UserError):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, chosen)
