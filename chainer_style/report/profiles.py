"""What ``benchmarks/phases.py`` measured: where the time of engine ``cpu`` goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from chainer_style import networks
from chainer_style.experiments.ceilings import Run
from chainer_style.report import cells

FOLDER = Path("benchmarks") / "phases"
"""Of the records, below their machine's."""

FORMAT = 1

FIRST, FORTH, BACK = "first convolution", "convolutions", "convolutions back"
GRAM, LOSSES, POOLING = "Gram matrices", "gradients of losses", "pooling"
POINTWISE, UPDATE = "ReLU, copies, LRN", "Adam, clip, variation"

PHASES = (FIRST, FORTH, BACK, GRAM, LOSSES, POOLING, POINTWISE, UPDATE)
"""Kinds of work of an iteration, in the order in which they are shown."""

PHASE_OF = {
    "pool": POOLING,
    "unpool": POOLING,
    "rectify": POINTWISE,
    "copy": POINTWISE,
    "crop": POINTWISE,
    "paste": POINTWISE,
    "normalise": POINTWISE,
    "unnormalise": POINTWISE,
    "panel": GRAM,
    "gram": GRAM,
    "compare": GRAM,
    "aim": GRAM,
    "style": LOSSES,
    "style_few": LOSSES,
    "variation": UPDATE,
    "adam": UPDATE,
    "clip": UPDATE,
}
"""By the kind of a step; all others convolve."""


@dataclass(frozen=True)
class Step:
    """A step of the program of an iteration.

    Attributes
    ----------
    name, kind
        See `chainer_style.engines.cpu.draft.Line` and
        `chainer_style.engines.cpu.kernels.steps.KINDS`.
    backward
        Whether it is of the backward pass.
    picture
        Whether it reads the picture, or writes its gradient.
    flops, bytes
        See `chainer_style.engines.cpu.costs.Cost`.
    seconds
        Median over the iterations.
    group
        Number of the steps that run at the same time; None: of an older record, in
        which each runs alone.
    """

    name: str
    kind: str
    backward: bool
    picture: bool
    flops: int
    bytes: int
    seconds: float
    group: int | None = None

    @property
    def phase(self) -> str:
        """Which of the `PHASES` it belongs to."""
        if self.kind in PHASE_OF:
            return PHASE_OF[self.kind]
        if self.picture:
            return FIRST
        return BACK if self.backward else FORTH


@dataclass(frozen=True)
class Floor:
    """What something takes at least, by what the machine reaches.

    Attributes
    ----------
    products, memory
        Seconds: in steps that matrix products limit, in steps that memory limits.
    """

    products: float
    memory: float

    @property
    def seconds(self) -> float:
        """Both."""
        return self.products + self.memory

    @property
    def limit(self) -> Literal["products", "memory"]:
        """What most of it is limited by."""
        return "products" if self.products >= self.memory else "memory"


@dataclass(frozen=True)
class Profile:
    """One network, size and number of threads.

    Attributes
    ----------
    network
        Name of the network.
    size
        Side of the square picture in pixels.
    threads
        How many computed.
    iterations
        Seconds of every iteration that counts.
    steps
        Of the program.
    ceiling
        Matrix products and streams with as many threads.
    predicted_bytes, measured_bytes
        Memory that the engine allocates: by `chainer_style.engines.cpu.footprint`, and
        by how much a process grew.
    environment
        See `chainer_style.provenance.environment`.
    ended
        UTC date and time in ISO 8601.
    """

    network: str
    size: int
    threads: int
    iterations: Sequence[float]
    steps: Sequence[Step]
    ceiling: Sequence[Run]
    predicted_bytes: int
    measured_bytes: int
    environment: Mapping[str, Any]
    ended: str

    @property
    def seconds(self) -> float:
        """Of an iteration: the median."""
        return median(self.iterations)

    @property
    def flops_per_second(self) -> float:
        """The most that a matrix product did."""
        return max(run.best for run in self.ceiling if run.kind == "product")

    @property
    def bytes_per_second(self) -> float:
        """The most that a stream moved."""
        return max(run.best for run in self.ceiling if run.kind != "product")

    @property
    def phases(self) -> dict[str, list[Step]]:
        """The steps of each phase that there is."""
        found = {
            name: [step for step in self.steps if step.phase == name] for name in PHASES
        }
        return {name: steps for name, steps in found.items() if steps}

    def floor(self, steps: Iterable[Step]) -> Floor:
        """Return what some steps take at least.

        One after the other, but for those that run at the same time: products of one
        can hide the memory of another.
        """
        costs: dict[int, tuple[int, int]] = {}
        for i, step in enumerate(steps):
            number = -1 - i if step.group is None else step.group
            flops, size = costs.get(number, (0, 0))
            costs[number] = flops + step.flops, size + step.bytes
        products = memory = 0.0
        for flops, size in costs.values():
            computed = flops / self.flops_per_second
            moved = size / self.bytes_per_second
            if computed >= moved:
                products += computed
            else:
                memory += moved
        return Floor(products, memory)


def lasted(steps: Iterable[Step]) -> float:
    """Return the seconds of some steps."""
    return sum(step.seconds for step in steps)


@dataclass(frozen=True)
class Group:
    """Sizes of one network with one number of threads.

    Attributes
    ----------
    profiles
        By size.
    """

    profiles: Sequence[Profile]

    @property
    def title(self) -> str:
        """What it is, to print."""
        return cells.title(self.profiles[0])

    @property
    def phases(self) -> list[str]:
        """Names of the phases that any of them has."""
        there = {name for profile in self.profiles for name in profile.phases}
        return [name for name in PHASES if name in there]


def groups(profiles: Iterable[Profile]) -> list[Group]:
    """Put profiles together that differ in size alone."""
    return [Group(own) for own in cells.by_size(profiles)]


def load(path: Path) -> Profile:
    """Read a record.

    Raises
    ------
    UserError
        If the file is no such record.
    """
    return cells.load(path, _profile)


def read(machine: Path) -> tuple[list[Profile], list[str]]:
    """Return what a machine's folder of records holds, by network, threads and size.

    Parameters
    ----------
    machine
        The folder.

    Returns
    -------
    profiles
        What could be read.
    skipped
        One line for each file that could not.
    """
    return cells.read(machine / FOLDER, load)


def _profile(document: Mapping[str, Any]) -> Profile:
    if document["format"] != FORMAT:
        raise ValueError(f"it is of format {document['format']}, not {FORMAT}")
    profile = Profile(
        **document["cell"],
        iterations=tuple(document["iterations"]),
        steps=tuple(Step(**step) for step in document["steps"]),
        ceiling=tuple(Run(**run) for run in document["ceiling"]),
        predicted_bytes=document["memory"]["predicted_bytes"],
        measured_bytes=document["memory"]["measured_bytes"],
        environment=document["environment"],
        ended=document["ended"],
    )
    networks.get(profile.network)
    if not (profile.iterations and profile.steps):
        raise ValueError("it lacks times")
    if len({run.kind == "product" for run in profile.ceiling}) < 2:
        raise ValueError("it lacks matrix products or streams")
    return profile
