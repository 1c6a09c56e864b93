"""Which of cuDNN's plans is the fastest: tried once, and remembered on disk."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainer_style import files
from chainer_style.engines.cuda.convolutions import WORKSPACE, Builder, Built
from chainer_style.engines.cuda.formats import Format
from chainer_style.engines.cuda.steps import Convolution
from chainer_style.errors import UserError

FOLDER = "cudnn"
"""In the user's cache."""

TRIED = 8
"""Plans of a variant that are timed, in the order in which cuDNN proposes them."""

AS_FAST = 1.02
"""A plan that takes at most so many times the fastest one's time, and less space, is
the better one."""

Timer = Callable[[Callable[[], None]], float]
"""Returns the seconds that the device takes for something."""

Execute = Callable[[Built, int], Callable[[], None]]
"""Returns what runs a plan of a graph, and what of the step is not part of that."""


@dataclass(frozen=True)
class Timed:
    """A plan that was timed."""

    built: Built
    index: int
    seconds: float

    @property
    def workspace(self) -> int:
        """Bytes that it works in."""
        return int(self.built.graph.get_workspace_size_plan_at_index(self.index))


class Tuner:
    """Chooses plans for one device.

    Parameters
    ----------
    device
        What the choice depends on: the card, and the versions of its libraries.
    form
        Of features.
    builder
        Of graphs.
    timer
        Of the device.
    """

    def __init__(
        self, device: str, form: Format, builder: Builder, timer: Timer
    ) -> None:
        self._builder, self._timer = builder, timer
        name = hashlib.sha256(f"{device} {form.name}".encode()).hexdigest()[:16]
        self._path = files.cache_folder() / FOLDER / f"{name}.json"
        self._chosen = read(self._path)

    def knows(self, step: Convolution) -> bool:
        """Whether it was chosen before."""
        return json.dumps(kind_of(step)) in self._chosen

    def choose(self, step: Convolution, execute: Execute) -> tuple[Built, int]:
        """Return a graph, and the index of the plan to run, which is built then.

        Parameters
        ----------
        step
            What is computed.
        execute
            How a plan is tried.

        Raises
        ------
        Exception
            The frontend's own if cuDNN does not know such a graph; or RuntimeError, if
            none of the plans that it proposed can be built.
        """
        key = json.dumps(kind_of(step))
        if (known := self._chosen.get(key)) and (found := self._named(step, *known)):
            return found
        timed = self._timed(step, execute)
        fastest = min(each.seconds for each in timed)
        best = min(
            (each for each in timed if each.seconds <= AS_FAST * fastest),
            key=lambda each: (each.workspace, each.seconds),
        )
        plan = best.built.graph.get_plan_name_at_index(best.index)
        # Meanwhile another program may have chosen for other convolutions.
        self._chosen = read(self._path) | self._chosen
        self._chosen[key] = best.built.variant.name, plan
        write(self._path, self._chosen)
        return best.built, best.index

    def _timed(self, step: Convolution, execute: Execute) -> list[Timed]:
        """Time the first plans of all variants."""
        timed: list[Timed] = []
        refused: Exception | None = None
        for variant in self._builder.variants(step):
            if variant.spare and timed:
                continue
            try:
                built = self._builder.build(step, variant)
            except Exception as error:  # of a kind that differs from release to release
                refused = error
                continue
            for index in _buildable(built):
                with contextlib.suppress(Exception):  # of a plan that is no good
                    seconds = self._timer(execute(built, index))
                    timed.append(Timed(built, index, seconds))
        if not timed:
            raise refused or RuntimeError(
                f"cuDNN can compute {step.name} {step.way} in no way"
            )
        return timed

    def _named(
        self, step: Convolution, variant: str, plan: str
    ) -> tuple[Built, int] | None:
        """Build the plan of that name; None if there is none any more."""
        for own in self._builder.variants(step):
            if own.name == variant:
                with contextlib.suppress(Exception):  # it is sought again, and told
                    built = self._builder.build(step, own)
                    for index in range(built.graph.get_execution_plan_count()):
                        if built.graph.get_plan_name_at_index(index) == plan:
                            return (built, index) if _build(built, index) else None
        return None


def kind_of(step: Convolution) -> tuple[Any, ...]:
    """Return what a convolution's graph depends on."""
    geometry = dataclasses.astuple(step.geometry)
    return (*geometry, step.way, step.rectified, step.mask is not None)


def _buildable(built: Built) -> Iterator[int]:
    """Yield the first plans that can be built, as they are."""
    found = 0
    for index in range(built.graph.get_execution_plan_count()):
        if found < TRIED and _build(built, index):
            found += 1
            yield index


def _build(built: Built, index: int) -> bool:
    """Build a plan; return whether that, and the space it works in, can be had."""
    graph = built.graph
    try:
        graph.build_plan_at_index(index)
    except Exception:  # of a kind that differs from release to release
        return False
    # What it takes is known, and so ruled out, only now.
    return bool(graph.get_workspace_size_plan_at_index(index) <= WORKSPACE)


def read(path: Path) -> dict[str, tuple[str, str]]:
    """Return what was chosen; a file that cannot be used is as good as none."""
    try:
        found: Any = json.loads(path.read_text("utf-8"))
        return {str(key): (str(v), str(plan)) for key, (v, plan) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write(path: Path, chosen: Mapping[str, tuple[str, str]]) -> None:
    """Remember what was chosen, if the folder may be written."""
    with contextlib.suppress(OSError, UserError):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, dict(chosen))
