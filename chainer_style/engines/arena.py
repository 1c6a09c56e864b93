"""Where everything lies: buffers by lifetime, in one piece of memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chainer_style.memory import LINE


@dataclass(frozen=True)
class Buffer:
    """A buffer and the moments of its use.

    Attributes
    ----------
    name
        What it holds.
    size
        Bytes.
    first, last
        Numbers of the first and the last step that use it.
    """

    name: str
    size: int
    first: int
    last: int

    def meets(self, other: Buffer) -> bool:
        """Whether both are in use at once."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Part:
    """What lies in a buffer from one of its bytes on."""

    buffer: str
    start: int


@dataclass(frozen=True)
class Arena:
    """A place for each of some buffers.

    Attributes
    ----------
    places
        Offset in bytes, by name.
    size
        Bytes of all.
    """

    places: Mapping[str, int]
    size: int


def arrange(buffers: Iterable[Buffer]) -> Arena:
    """Give buffers that are never in use at once the same memory.

    The largest first, each in the lowest gap that is free all its life: the greedy
    method by size of Pisarchyk and Lee 2020, arXiv 2001.03288.
    """
    placed: list[tuple[int, Buffer]] = []
    for buffer in sorted(buffers, key=lambda b: (-b.size, b.first, b.name)):
        taken = sorted(
            (start, start + other.size)
            for start, other in placed
            if buffer.meets(other)
        )
        offset = 0
        for start, end in taken:
            if offset + buffer.size <= start:
                break
            offset = max(offset, -(-end // LINE) * LINE)
        placed.append((offset, buffer))
    size = max((start + buffer.size for start, buffer in placed), default=0)
    return Arena({buffer.name: start for start, buffer in placed}, size)
