"""The steps of a convolution, or of the gradient of its input."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from chainer_style.engines.cpu import division
from chainer_style.engines.cpu.draft import Draft, Map
from chainer_style.engines.cpu.filters import Way
from chainer_style.engines.cpu.strided import Strided
from chainer_style.networks.nodes import Conv

SQUARES = "squares"
"""How the buffers of the picture's squares, and of their gradient, begin."""


@dataclass(frozen=True)
class Convolving:
    """A convolution that is drafted.

    Attributes
    ----------
    node
        The convolution.
    way
        How it is computed.
    read, written
        Both maps, or the parts of them that there are.
    backward
        Whether the gradient of its input is meant.
    add
        Whether it is added to what is there.
    """

    node: Conv
    way: Way
    read: Map
    written: Map
    backward: bool = False
    add: bool = False

    def draft(
        self, draft: Draft, uses: Mapping[str, str], threads: int, each: int = 1
    ) -> None:
        """Append the steps.

        Parameters
        ----------
        draft
            To what.
        uses
            By field of the step that convolves, the buffer whose address it takes.
        threads
            That will run it.
        each
            Units per thread at least; see `division.convolution`.
        """
        if not isinstance(self.way, Strided):
            self._draft(draft, uses, threads, each)
            return
        squares = self.way.squares(self.read if self.backward else self.written)
        name = f"{SQUARES} {self.node.name}{' back' * self.backward}"
        buffer = draft.buffer(name, squares.size)
        if self.backward:
            there = dataclasses.replace(self, written=squares, add=False)
            there._draft(draft, {**uses, "y": buffer}, threads, each)
            self._move(draft, {"x": buffer, "y": uses["y"]}, squares, threads)
        else:
            self._move(draft, {"x": uses["x"], "y": buffer}, squares, threads)
            there = dataclasses.replace(self, read=squares)
            there._draft(draft, {**uses, "x": buffer}, threads, each)

    def _draft(
        self, draft: Draft, uses: Mapping[str, str], threads: int, each: int
    ) -> None:
        cut = division.convolution(self.way, self.read, self.written, threads, each)
        draft.add(
            f"{self.node.name}{' back' * self.backward}",
            cut.kind,
            cut.units,
            uses,
            space=cut.space,
            backward=self.backward,
            add=self.add,
            **self.read.read(),
            **self.written.written(),
            **division.begins(self.way, self.read, self.written),
            **cut.values,
        )

    def _move(
        self, draft: Draft, uses: Mapping[str, str], squares: Map, threads: int
    ) -> None:
        """Append what makes squares of the picture, or the picture's gradient of it."""
        if self.backward:
            kind, picture, ends = "to_space", self.written, (squares, self.written)
        else:
            kind, picture, ends = "to_depth", self.read, (self.read, squares)
        stride, pad = self.node.stride, self.node.pad
        rows = division.rows(ends[1], threads)
        draft.add(
            f"{self.node.name} {kind.replace('_', ' ')}",
            kind,
            -(-ends[1].height // rows),
            uses,
            stride=stride,
            pad=pad + picture.top - squares.top * stride,
            pad_across=pad + picture.left - squares.left * stride,
            positions=rows,
            backward=self.backward,
            add=self.add,
            **ends[0].read(),
            **ends[1].written(),
        )
