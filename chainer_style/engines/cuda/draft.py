"""A program as it is drafted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from chainer_style.engines.cuda.steps import Argument, Launch, Program, Step


class Draft:
    """Steps, in order, and the sizes of the buffers that they name.

    Parameters
    ----------
    given
        Buffers that are there already.
    """

    def __init__(self, given: Collection[str] = ()) -> None:
        self._given = given
        self.steps: list[Step] = []
        self._sizes: dict[str, int] = {}

    def buffer(self, name: str, size: int) -> str:
        """Have a buffer of that many bytes or more; return its name."""
        if name not in self._given:
            self._sizes[name] = max(size, self._sizes.get(name, 0))
        return name

    def launch(
        self,
        kernel: str,
        arguments: Sequence[Argument],
        count: int,
        blocks: int | None = None,
    ) -> None:
        """Add a kernel; see `Launch`."""
        self.steps.append(Launch(kernel, tuple(arguments), count, blocks))

    def program(self, kept: Iterable[str]) -> Program:
        """Return all of it, after which some buffers are read."""
        return Program(tuple(self.steps), self._sizes, frozenset(kept))
