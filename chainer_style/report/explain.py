"""Figures behind the sentences that explain why today differs from the paper.

Computed from the paper's numbers, from the networks' graphs and from the records;
the sentences stand in ``templates/why.html.j2``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainer_style import added
from chainer_style.experiments.workspace import workspace_bytes
from chainer_style.paper import ITERATIONS, MINUTES, TABLE_5, Cell, Column
from chainer_style.protocols import Protocol
from chainer_style.report import arithmetic
from chainer_style.report.comparison import row_title
from chainer_style.report.machines import Machine

GOGH = (
    "https://github.com/mattya/chainer-gogh/blob/"
    "4aaa123e839083cceb70c74d4815696ad9cfc44f"
)
CHAINER = "https://github.com/chainer/chainer/blob"
CONVOLUTION = "chainer/functions/connection/convolution_2d.py"

SOURCES = {
    "gatys": (
        "Gatys, Ecker and Bethge 2015, arXiv 1508.06576",
        "https://arxiv.org/abs/1508.06576",
    ),
    "loop": ("mattya/chainer-gogh 4aaa123, chainer-gogh.py", f"{GOGH}/chainer-gogh.py"),
    "models": ("mattya/chainer-gogh 4aaa123, models.py", f"{GOGH}/models.py"),
    "chainer150": (
        "Chainer 1.5.0, convolution_2d.py",
        f"{CHAINER}/v1.5.0/{CONVOLUTION}",
    ),
    "chainer180": (
        "Chainer 1.8.0, convolution_2d.py",
        f"{CHAINER}/v1.8.0/{CONVOLUTION}",
    ),
    "chainer181": (
        "Chainer 1.8.1, convolution_2d.py",
        f"{CHAINER}/v1.8.1/{CONVOLUTION}",
    ),
    "workspace181": ("Chainer 1.8.1, cuda.py", f"{CHAINER}/v1.8.1/chainer/cuda.py"),
}
"""What is cited: what to print, and where it is found."""

PRINTS_EVERY = 100
"""The 2016 loop prints its losses at every hundredth iteration (chainer-gogh.py)."""

BUSY = 1.25
"""From this ratio of the 90th to the 10th percentile on, a cell counts as unsteady."""


@dataclass(frozen=True, slots=True)
class PaperColumn:
    """A column of the paper's tables, taken for what it seems to be: one rate.

    Attributes
    ----------
    cell
        Which column.
    rate
        Iterations per minute, from the last row.
    deviation
        The most that a row differs from that rate times its minutes, in iterations.
    whole
        (iterations, minutes) of a run that gives every row to its last digit: 4900
        or 5000 iterations in a whole number of minutes. None if there is none.
    """

    cell: Cell
    rate: float
    deviation: float
    whole: tuple[int, int] | None

    @property
    def seconds(self) -> float:
        """Seconds of an iteration."""
        return 60 / self.rate

    def minutes_for(self, iterations: int) -> float:
        """Return how long so many iterations took, in minutes."""
        return iterations / self.rate


@dataclass(frozen=True, slots=True)
class Comparison:
    """A quotient within the paper and the same quotient today.

    Attributes
    ----------
    title
        Of what.
    paper
        By the paper's numbers; None where it has none.
    today
        By the records; None where one of the two cells was not measured.
    """

    title: str
    paper: float | None
    today: float | None


class Explanation:
    """Every figure that the explanations need, for one machine.

    Parameters
    ----------
    machine
        Whose records to set beside the paper's numbers.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    # -- the paper alone --------------------------------------------------

    @property
    def requested(self) -> int:
        """Iterations that the 2016 script does by default."""
        return Protocol().iterations

    @property
    def last_printed(self) -> int:
        """The last iteration that the 2016 script prints by default."""
        return (self.requested - 1) // PRINTS_EVERY * PRINTS_EVERY

    @property
    def columns(self) -> list[PaperColumn]:
        """The paper's columns."""
        runs = (self.last_printed, self.requested)
        return [
            PaperColumn(
                cell,
                rate := printed[-1] / MINUTES[-1],
                max(abs(p - rate * m) for p, m in zip(printed, MINUTES, strict=True)),
                next((run for n in runs if (run := _whole(n, printed))), None),
            )
            for cell, printed in ITERATIONS.items()
        ]

    def workspace(self, name: str) -> tuple[int, int]:
        """Return least and most workspace of cuDNN before Chainer 1.8.1, in bytes."""
        return workspace_bytes(name)

    # -- picture sizes ----------------------------------------------------

    @property
    def sizes(self) -> list[int]:
        """Sizes of Table 5, in pixels."""
        return [size for _, size in TABLE_5.printed]

    def slower(self, small: int, large: int, column: Column) -> Comparison:
        """Return how many times longer VGG takes at one size than at another."""
        quick, slow = Cell("vgg16", small, column), Cell("vgg16", large, column)
        return self._quotient(f"{large} against {small} px, {column}", quick, slow)

    def more_work(self, small: int, large: int) -> float:
        """Return how many times as many operations VGG does at one size."""
        flops = [
            arithmetic.iteration_flops(Cell("vgg16", s, "CPU")) for s in (small, large)
        ]
        return flops[1] / flops[0]

    def lighter(self, name: str, other: str, size: int) -> float:
        """Return how many times fewer operations one network takes than another."""
        light, heavy = (
            arithmetic.iteration_flops(Cell(n, size, "CPU")) for n in (name, other)
        )
        return heavy / light

    def fixed_share(self, small: int, large: int, column: Column) -> float:
        """Return the share of the paper's time at the small size that is fixed.

        Time taken as a constant plus a cost per pixel, from two sizes.
        """
        seconds = [1 / ITERATIONS[Cell("vgg16", s, column)][-1] for s in (small, large)]
        growth = (large / small) ** 2
        constant = (growth * seconds[0] - seconds[1]) / (growth - 1)
        return constant / seconds[0]

    # -- devices ----------------------------------------------------------

    @property
    def rows(self) -> list[tuple[str, int]]:
        """Network and size of all columns that the paper prints, once each."""
        return list(dict.fromkeys((c.network, c.size) for c in ITERATIONS))

    @property
    def gpu_over_cpu(self) -> list[Comparison]:
        """How many times faster the GPU is than the CPU."""
        return self._over("GPU", "CPU")

    @property
    def cudnn_over_gpu(self) -> list[Comparison]:
        """How many times faster the GPU is with cuDNN than without."""
        return [c for c in self._over("cuDNN", "GPU") if c.today is not None]

    @property
    def cudnn_before_1_8_1(self) -> list[Comparison]:
        """How many times faster the GPU is with cuDNN in a small workspace."""
        found = []
        for cell, record in self.machine.of("workspace").items():
            other = self.machine.measured(Cell(cell.network, cell.size, "GPU"))
            if record.measured and other:
                quotient = record.rate / other.rate
                title = row_title(cell.network, cell.size)
                found.append(Comparison(title, None, quotient))
        return found

    @property
    def engine_over_chainer(self) -> list[Comparison]:
        """How many times faster this package's engine is than Chainer, on the CPU."""
        found = [
            self._quotient(row_title(cell.network, cell.size), added.beside(cell), cell)
            for cell in self.machine.cells
            if cell.column == "CPU" and not added.is_added(cell)
        ]
        return [comparison for comparison in found if comparison.today is not None]

    def _over(self, column: Column, other: Column) -> list[Comparison]:
        return [
            self._quotient(row_title(*row), Cell(*row, column), Cell(*row, other))
            for row in self.rows
        ]

    def _quotient(self, title: str, above: Cell, below: Cell) -> Comparison:
        """Compare two cells' rates, the paper's and today's."""
        printed = [ITERATIONS.get(cell) for cell in (above, below)]
        records = [self.machine.measured(cell) for cell in (above, below)]
        paper = today = None
        if printed[0] and printed[1]:
            paper = printed[0][-1] / printed[1][-1]
        if records[0] and records[1]:
            today = records[0].rate / records[1].rate
        return Comparison(title, paper, today)

    # -- today ------------------------------------------------------------

    def ratios(self, column: Column) -> list[float]:
        """Return today's rate over the paper's, of every cell of a device."""
        return [
            record.rate / (printed[-1] / MINUTES[-1])
            for cell, printed in ITERATIONS.items()
            if cell.column == column and (record := self.machine.measured(cell))
        ]

    def missing(self, column: Column) -> dict[str, list[Cell]]:
        """Return the cells of a device that were not measured, by reason."""
        found: dict[str, list[Cell]] = {}
        for cell in ITERATIONS:
            if cell.column == column and (reason := self.machine.reason(cell)):
                found.setdefault(reason, []).append(cell)
        return found

    @property
    def arithmetic(self) -> list[tuple[Cell, int, float | None, float | None]]:
        """Per cell: operations, and operations per second by paper and today."""
        rows = []
        for cell in self.machine.cells:
            flops = arithmetic.iteration_flops(cell)
            printed = ITERATIONS.get(cell)
            record = self.machine.measured(cell)
            if printed or record:
                paper = flops * printed[-1] / (60 * MINUTES[-1]) if printed else None
                today = arithmetic.flops_per_second(record) if record else None
                rows.append((cell, flops, paper, today))
        return rows

    @property
    def busy(self) -> float:
        """See `BUSY`."""
        return BUSY

    @property
    def unsteady(self) -> list[tuple[Cell, float]]:
        """Cells whose times vary much, and the 90th over the 10th percentile."""
        found = []
        for cell, record in self.machine.rates.items():
            if record.measured:
                low, high = record.spread
                if high / low >= BUSY:
                    found.append((cell, high / low))
        return found

    @property
    def few(self) -> list[tuple[Cell, int]]:
        """Cells whose percentiles rest on fewer than ten iterations."""
        return [
            (cell, len(record.kept))
            for cell, record in self.machine.rates.items()
            if record.measured and len(record.kept) < 10
        ]


def _whole(iterations: int, printed: Sequence[float]) -> tuple[int, int] | None:
    """Return the whole minutes in which so many iterations give a printed column."""
    minutes = round(iterations * MINUTES[-1] / printed[-1])
    rows = [round(iterations / minutes * minute, 1) for minute in MINUTES]
    return (iterations, minutes) if rows == list(printed) else None
