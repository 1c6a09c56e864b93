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

SQUARES = "gradient in squares"
"""How the buffers of the gradient in squares of pixels begin."""


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
        squares = self.way.squares(self.read)
        buffer = draft.buffer(f"{SQUARES} {self.node.name}", squares.size)
        there = dataclasses.replace(self, written=squares, add=False)
        there._draft(draft, {**uses, "y": buffer}, threads, each)
        rows = division.rows(self.written, threads)
        stride, pad = self.node.stride, self.node.pad
        draft.add(
            f"{self.node.name} to space",
            "to_space",
            -(-self.written.height // rows),
            {"x": buffer, "y": uses["y"]},
            stride=stride,
            pad=pad + self.written.top - squares.top * stride,
            pad_across=pad + self.written.left - squares.left * stride,
            positions=rows,
            backward=True,
            add=self.add,
            **squares.read(),
            **self.written.written(),
        )

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
