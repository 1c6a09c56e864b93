"""A draft with its memory: ready to run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from chainer_style import memory
from chainer_style.engines.cpu.draft import Draft
from chainer_style.engines.cpu.team import Team
from chainer_style.memory import LINE

Array = npt.NDArray[Any]


class Room:
    """Memory that programs run in, one after the other.

    Parameters
    ----------
    threads
        How many run them.
    size
        Bytes of the buffers of the largest one.
    space
        Bytes that each thread needs for the largest one.
    """

    def __init__(self, threads: int, size: int, space: int) -> None:
        space = -(-space // 4096) * 4096 + LINE
        behind = -(-size // LINE) * LINE
        self.memory = memory.zeros(behind + space * threads)
        start = self.memory.ctypes.data + behind
        self.spaces = start + space * np.arange(threads, dtype=np.int64)

    @classmethod
    def of(cls, threads: int, drafts: Iterable[Draft]) -> Self:
        """Return the room that some programs need."""
        made = list(drafts)
        size = max(draft.arrange().size for draft in made)
        return cls(threads, size, max(draft.space for draft in made))


class Plan:
    """A program with its memory, and the threads that run it.

    Parameters
    ----------
    draft
        The steps.
    team
        The threads.
    addresses
        Of what the steps name beside their buffers.
    room
        That it shares with others; by default it has its own.
    """

    def __init__(
        self,
        draft: Draft,
        team: Team,
        addresses: Mapping[str, int],
        room: Room | None = None,
    ) -> None:
        self.draft = draft
        self._team = team
        self.arena = draft.arrange()
        self._room = room or Room(team.threads, self.arena.size, draft.space)
        start = self._room.memory.ctypes.data
        self.program = draft.program(self.arena, start, addresses)
        self._clock: tuple[Array, Array] | None = None

    def run(self, steps: int | None = None) -> None:
        """Run the program once, or so many steps of it."""
        self._clock = self._team.run(self.program[:steps], self._room.spaces)

    def array(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return a buffer as an array of float32."""
        return self._bytes(name, 4 * math.prod(shape)).view(np.float32).reshape(shape)

    def sums(self, name: str) -> Array:
        """Return a buffer as sums, in float64; none where there is no such buffer."""
        if name not in self.arena.places:
            return np.zeros(0)
        return self._bytes(name, self.draft.sizes[name]).view(np.float64)

    def _bytes(self, name: str, size: int) -> Array:
        start = self.arena.places[name]
        return self._room.memory[start : start + size]

    def shares(self) -> Array:
        """Return the share of each step, in their order, in the last run's time.

        That of steps which ran at the same time is divided by how long the threads
        were at each.
        """
        assert self._clock is not None
        ticks, busy = self._clock
        begins = np.flatnonzero(self.program["beside"][: len(ticks) - 1] == 0)
        lasted = np.diff(np.append(ticks[begins], ticks[-1]))
        work = busy.sum(axis=0) + 1
        counts = np.diff(np.append(begins, len(work)))
        whole = np.repeat(lasted / np.add.reduceat(work, begins), counts)
        return np.asarray(whole * work / (ticks[-1] - ticks[0]))

    def times(self) -> Mapping[str, float]:
        """Return the same by name; steps of one name together."""
        found: dict[str, float] = {}
        for line, share in zip(self.draft.lines, self.shares(), strict=True):
            found[line.name] = found.get(line.name, 0) + share
        return found
