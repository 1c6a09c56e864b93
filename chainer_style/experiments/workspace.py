"""Why cuDNN was slower: Tables 4 and 5 with the workspace that Chainer once gave it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chainer_style import networks
from chainer_style.experiments.base import Progress
from chainer_style.experiments.rates import RateRecord, Rates
from chainer_style.networks.nodes import Conv
from chainer_style.paper import Cell

FLOAT = 4
"""Bytes of a number in single precision."""


@dataclass(frozen=True, kw_only=True)
class WorkspaceRecord(RateRecord):
    """A rate with cuDNN in a small workspace; see `RateRecord`."""

    experiment = "workspace"


@dataclass(frozen=True)
class Workspaces(Rates):
    """The cuDNN cells once more, with no more workspace than before Chainer 1.8.1.

    Then a convolution of c input channels had ``c * kh * kw * 4`` bytes of it. Here
    all have what the largest had, which rules the same algorithms out.
    """

    record = WorkspaceRecord

    def cells(self) -> tuple[Cell, ...]:
        """Return the chosen cells with cuDNN."""
        return tuple(cell for cell in super().cells() if cell.column == "cuDNN")

    def title(self, cell: Cell) -> str:
        """Return a cell's name to print."""
        return f"{super().title(cell)}, workspace of 2015"

    def measure(self, cell: Cell, folder: Path, progress: Progress) -> RateRecord:
        """Measure the cell as `Rates` does, after limiting the workspace."""
        from chainer.backends import cuda

        cuda.set_max_workspace_size(largest(cell.network))
        return super().measure(cell, folder, progress)


def largest(name: str) -> int:
    """Return the most workspace that a network's convolutions had, in bytes."""
    return workspace_bytes(name)[1]


def workspace_bytes(name: str) -> tuple[int, int]:
    """Least and most workspace that Chainer before 1.8.1 let cuDNN use, in bytes.

    ``c * kh * kw * 4`` per convolution of c input channels: chainer v1.8.0,
    functions/connection/convolution_2d.py.
    """
    network = networks.get(name).upto_taps()
    shapes = network.shapes(network.input_size, network.input_size)
    sizes = [
        shapes[node.inputs[0]].channels * node.kernel**2 * FLOAT
        for node in network.nodes
        if isinstance(node, Conv)
    ]
    return min(sizes), max(sizes)
