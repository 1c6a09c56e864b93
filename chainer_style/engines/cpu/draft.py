"""Steps before they have addresses: they name the buffers that they use."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from chainer_style.engines.arena import Arena, Buffer, Part, arrange
from chainer_style.engines.cpu.kernels.results import DUMP
from chainer_style.engines.cpu.kernels.steps import STEP, Program, step
from chainer_style.engines.cpu.kernels.winograd import TABLES
from chainer_style.engines.cpu.packing import filled
from chainer_style.networks.nodes import Shape
from chainer_style.networks.regions import Region

FLOAT = 4
"""Bytes of a number."""


@dataclass(frozen=True)
class Map:
    """A feature map, or its gradient, in memory: positions, then channels.

    Attributes
    ----------
    height, width
        Its extent.
    channels
        As they lie in memory.
    count
        Of these, the ones that count.
    raw
        Whether it has no channels that fill up: the picture.
    top, left
        Where it begins, if it is a part of a larger map.
    """

    height: int
    width: int
    channels: int
    count: int
    raw: bool = False
    top: int = 0
    left: int = 0

    @classmethod
    def of(cls, shape: Shape, raw: bool = False) -> Map:
        """Return the map of a shape; the picture alone is left raw."""
        channels = shape.channels if raw else filled(shape.channels)
        return cls(shape.height, shape.width, channels, shape.channels, raw)

    def part(self, region: Region) -> Map:
        """Return a part of it."""
        return dataclasses.replace(
            self,
            height=region.height,
            width=region.width,
            top=region.top,
            left=region.left,
        )

    @property
    def positions(self) -> int:
        """Height times width."""
        return self.height * self.width

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return FLOAT * self.positions * self.channels

    @property
    def signs(self) -> int:
        """Bytes of a bit per number."""
        return -(-self.positions * self.channels // 8)

    @property
    def true_size(self) -> int:
        """How many numbers count."""
        return self.positions * self.count

    def read(self) -> dict[str, int]:
        """Return the extents of a step that reads it."""
        return {"height": self.height, "width": self.width, "channels": self.channels}

    def written(self) -> dict[str, int]:
        """Return the extents of a step that writes it."""
        return {f"y_{name}": value for name, value in self.read().items()}


@dataclass(frozen=True)
class Line:
    """One step.

    Attributes
    ----------
    name
        To be shown in a profile.
    step
        What it is.
    uses
        By field, the buffer whose address it takes.
    starts
        By field, where in its buffer that address lies if not at its beginning, bytes.
    space
        Bytes that a thread needs.
    """

    name: str
    step: Program
    uses: Mapping[str, str]
    starts: Mapping[str, int]
    space: int


@dataclass
class Draft:
    """Steps in order, and the buffers that they name.

    A name that no buffer was asked for is that of an array which is there already.
    """

    lines: list[Line] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)

    def buffer(self, name: str, size: int, kept: bool = False) -> str:
        """Ask for a buffer.

        Parameters
        ----------
        name
            What it holds.
        size
            Bytes.
        kept
            Whether it must be there after the last step.
        """
        self.sizes[name] = max(size, self.sizes.get(name, 0))
        if kept:
            self.kept.add(name)
        return name

    def add(
        self,
        name: str,
        kind: str,
        units: int,
        uses: Mapping[str, str | Part],
        space: float = 0,
        **values: float,
    ) -> None:
        """Append a step.

        Parameters
        ----------
        name
            To be shown in a profile.
        kind, units, **values
            See `steps.step`.
        uses
            By field, the buffer whose address it takes, or a part of one.
        space
            Bytes that a thread needs, beside its tables.
        """
        made = step(kind, units, **values)
        needed = TABLES + DUMP + int(space)
        whole = {"zeros": "zeros", "ones": "ones"}
        starts = {}
        for key, used in uses.items():
            if isinstance(used, Part):
                whole[key], starts[key] = used.buffer, used.start
            else:
                whole[key] = used
        self.lines.append(Line(name, made, whole, starts, needed))

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Let the steps that are added run at the same time as the last one so far."""
        first = len(self.lines)
        yield
        for line in self.lines[first:]:
            line.step["beside"] = 1

    @property
    def space(self) -> int:
        """Bytes of space that each thread needs."""
        return max(line.space for line in self.lines)

    def uses(self, name: str) -> bool:
        """Whether a step uses a buffer, or an array of that name."""
        return any(name in line.uses.values() for line in self.lines)

    def buffers(self) -> list[Buffer]:
        """Return the buffers with the moments of their use."""
        moments: dict[str, list[int]] = {name: [] for name in self.sizes}
        moment = 0
        for i, line in enumerate(self.lines):
            moment = moment if line.step["beside"] else i
            for name in line.uses.values():
                if name in moments:
                    moments[name].append(moment)
        end = len(self.lines)
        return [
            Buffer(
                name,
                self.sizes[name],
                min(when),
                end if name in self.kept else max(when),
            )
            for name, when in moments.items()
            if when
        ]

    def arrange(self) -> Arena:
        """Return where the buffers lie."""
        return arrange(self.buffers())

    def program(
        self, arena: Arena, start: int, addresses: Mapping[str, int]
    ) -> Program:
        """Return the steps with addresses.

        Parameters
        ----------
        arena, start
            Where the buffers lie, and where the arena begins.
        addresses
            Of all other names.
        """
        found = np.concatenate([line.step for line in self.lines], dtype=STEP)
        for made, line in zip(found, self.lines, strict=True):
            for name, used in line.uses.items():
                inside = used in arena.places
                begins = start + arena.places[used] if inside else addresses[used]
                made[name] = begins + line.starts.get(name, 0)
        return found
