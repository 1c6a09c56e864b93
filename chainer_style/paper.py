"""What the paper printed: its tables, its machine, its words.

Y. Kawahata, "The State of the Art when using GPUs in Devising Image Generation
Methods Using Deep Learning", 2021, arXiv 2109.05783. Nothing here was measured by
this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Column = Literal["CPU", "GPU", "cuDNN"]
COLUMNS: tuple[Column, ...] = ("CPU", "GPU", "cuDNN")

SETUP = {
    "Processor": "Core i5-4460 @ 3.20 GHz",
    "GPU": "GeForce GTX 960",
    "System": "CentOS 7.2.1511",
    "CUDA": "7.5",
    "Chip": "GM206",
    "Chainer": "1.5 or later",
}
"""The machine and its software, as far as they are known here."""

LISTINGS = (
    "the packages that pip had installed",
    "the paths of CUDA",
    "what ``lspci | grep -i nvidia`` printed",
    "what ``deviceQuery`` printed",
)
"""What Tables 2 and 3 list."""

MACHINE = ", ".join(
    f"{'CUDA ' * (what == 'CUDA')}{SETUP[what]}"
    for what in ("Processor", "GPU", "System", "CUDA")
)
MINUTES = (1, 2, 3, 4, 5)


CHAINER = "chainer"
"""The engine that does what the paper's program did."""


@dataclass(frozen=True)
class Cell:
    """One network, at one size, on one kind of device.

    Attributes
    ----------
    network
        A key of `chainer_style.networks.NETWORKS`.
    size
        Side of the square picture in pixels.
    column
        CPU; GPU without cuDNN; or GPU with cuDNN.
    engine
        What computes it. All of the paper's are Chainer's; what another engine does
        is never the paper's, and stands beside it (`chainer_style.added`).
    """

    network: str
    size: int
    column: Column
    engine: str = CHAINER

    @property
    def name(self) -> str:
        """The column, or the engine that is none of the paper's."""
        return self.column if self.engine == CHAINER else f"engine {self.engine}"

    @property
    def key(self) -> str:
        """Name of the cell in file names."""
        return f"{self.network}-{self.size}-{self.name.lower().replace(' ', '-')}"


@dataclass(frozen=True)
class RateTable:
    """A table of iterations after 1 to 5 minutes.

    Attributes
    ----------
    number
        The table's number in the paper.
    figure
        The number of the chart drawn from it.
    title
        What it shows.
    printed
        (network, size) of each group of columns, as printed from left to right.
    tried
        (network, size) of what the paper tried and prints no numbers of.
    """

    number: int
    figure: int
    title: str
    printed: tuple[tuple[str, int], ...]
    tried: tuple[tuple[str, int], ...] = ()

    @property
    def rows(self) -> tuple[tuple[str, int], ...]:
        """All of them."""
        return self.printed + self.tried

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell, with the cuDNN cells that the paper measured but left out."""
        return tuple(Cell(n, size, c) for n, size in self.rows for c in COLUMNS)


TABLE_4 = RateTable(
    number=4,
    figure=7,
    title="Iterations of style transfer at 128 px, VGG and NIN",
    printed=(("vgg16", 128), ("nin", 128)),
)
TABLE_5 = RateTable(
    number=5,
    figure=8,
    title="Iterations of style transfer with VGG, by picture size",
    printed=(("vgg16", 64), ("vgg16", 128), ("vgg16", 256)),
    tried=(("vgg16", 512),),
)
RATE_TABLES = {table.number: table for table in (TABLE_4, TABLE_5)}

ITERATIONS: dict[Cell, tuple[float, ...]] = {
    Cell("vgg16", 64, "CPU"): (94.2, 188.3, 282.6, 376.8, 471.0),
    Cell("vgg16", 64, "GPU"): (847.8, 1695.5, 2543.3, 3391.0, 4238.8),
    Cell("vgg16", 128, "CPU"): (71.4, 142.9, 214.3, 285.7, 357.1),
    Cell("vgg16", 128, "GPU"): (721.9, 1443.7, 2165.6, 2887.4, 3609.3),
    Cell("vgg16", 256, "CPU"): (32.0, 64.1, 96.1, 128.1, 160.1),
    Cell("vgg16", 256, "GPU"): (286.7, 573.3, 860.1, 1146.7, 1433.4),
    Cell("nin", 128, "CPU"): (108.9, 217.8, 326.7, 435.6, 544.4),
    Cell("nin", 128, "GPU"): (980, 1960, 2940, 3920, 4900),
}
"""Iterations after 1, 2, 3, 4 and 5 minutes, as printed in Tables 4 and 5."""

TABLE_1_UNIT = "sec"
"""Of Table 1, as it says."""

TABLE_1_COLUMNS = {
    "alexnet_owt": "AlexNet",
    "overfeat": "Overfeat",
    "vgg_a": "OxfordNet",
    "googlenet_v1": "GoogLeNet V1",
}
"""Its columns, by what `chainer_style.networks.benchmarks.BENCHMARKS` calls them."""

TABLE_1: dict[str, dict[str, int]] = {
    framework: dict(zip(TABLE_1_COLUMNS, row, strict=True))
    for framework, row in {
        "Chainer": (177, 620, 885, 687),
        "TensorFlow": (277, 843, 1510, 1084),
        "Caffe (native)": (324, 823, 1068, 1935),
    }.items()
}
"""Table 1 as printed, by framework and network."""
