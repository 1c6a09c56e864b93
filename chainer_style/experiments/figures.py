"""Figures 1 to 6: networks drawn, pictures painted, features shown."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainer_style import images, networks
from chainer_style.experiments.base import Experiment, Progress
from chainer_style.experiments.records import Record

if TYPE_CHECKING:
    from chainer_style.figures.request import Request

SHOWN = ("vgg16", "nin")
"""The paper's networks."""

PAINTED = frozenset((3, 4, 5, 6))
"""Figures that need weights."""

SECONDS = {
    (1, "vgg16"): 3.0,
    (2, "vgg16"): 3.0,
    (3, "vgg16"): 60.0,
    (3, "nin"): 35.0,
    (4, "vgg16"): 6.0,
    (4, "nin"): 4.0,
    (5, "vgg16"): 50.0,
    (6, "vgg16"): 65.0,
}
"""Rough seconds on two cores, for the time left; of others `OTHERWISE`."""

OTHERWISE = 3.0

LONGER = 20
"""How many times as long the painted figures take with whole runs, roughly."""

SETTINGS = frozenset(("weights", "protocol", "size", "iterations", "sources"))
"""What the settings of a painted figure must say."""


@dataclass(frozen=True)
class FigureCell:
    """A figure of the paper for one network.

    Attributes
    ----------
    figure
        Its number.
    name
        Name of the network.
    """

    figure: int
    name: str

    @property
    def key(self) -> str:
        """Name of the cell in file names."""
        return f"figure{self.figure}-{self.name}"


@dataclass(frozen=True, kw_only=True)
class FigureRecord(Record[FigureCell]):
    """What was drawn or painted: the files beside it are ``settings["pictures"]``."""

    experiment = "figures"
    cell_type = FigureCell

    def check(self) -> None:
        """Refuse an unknown network, or what lacks pictures or their settings."""
        super().check()
        networks.get(self.cell.name)
        if not self.measured:
            return
        needed = SETTINGS if self.cell.figure in PAINTED else frozenset(("size",))
        lacking = sorted({"pictures", *needed} - self.settings.keys())
        if self.cell.figure in PAINTED and "label" not in self.settings.get(
            "weights", ()
        ):
            lacking.append("the label of its weights")
        if lacking:
            raise ValueError(f"it lacks {', '.join(lacking)}")

    @property
    def files(self) -> list[str]:
        """Names of the files that it left beside it."""
        return list(_strings(self.settings.get("pictures")))


def _strings(value: Any) -> Iterator[str]:
    """Yield every text within lists and dictionaries."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


@dataclass(frozen=True)
class Figures(Experiment[FigureCell]):
    """One figure of the paper.

    Attributes
    ----------
    number
        Of the figure, 1 to 6.
    content, style
        Picture files.
    weights
        See `chainer_style.weights.load`.
    full
        Every network, every picture, whole runs.
    size, iterations
        Other ones than the figure's own.
    """

    record = FigureRecord

    number: int
    content: Path
    style: Path
    weights: str
    full: bool = False
    size: int | None = None
    iterations: int | None = None

    def cells(self) -> tuple[FigureCell, ...]:
        """Return a cell for each network."""
        return tuple(FigureCell(self.number, name) for name in self._networks())

    def _networks(self) -> tuple[str, ...]:
        """Return the networks that the figure is made for."""
        if self.number < min(PAINTED) and self.full:
            return tuple(networks.NETWORKS)
        # Reconstructions and a run from noise take their time: VGG stands for both.
        alone = self.number in (5, 6) and not self.full
        return SHOWN[:1] if alone else SHOWN

    def title(self, cell: FigureCell) -> str:
        """Return a cell's name to print."""
        return f"Figure {cell.figure} {networks.get(cell.name).title}"

    def estimate(self, cell: FigureCell) -> float:
        """Return the seconds that it took elsewhere."""
        seconds = SECONDS.get((cell.figure, cell.name), OTHERWISE)
        painted = cell.figure in PAINTED - {4}
        return seconds * (LONGER if self.full and painted else 1)

    def check(self) -> None:
        """Refuse pictures that cannot be read."""
        for picture in (self.content, self.style):
            images.read(picture)

    def networks(self) -> frozenset[str]:
        """Return the networks whose weights it needs."""
        return frozenset(self._networks() if self.number in PAINTED else ())

    def measure(
        self, cell: FigureCell, folder: Path, progress: Progress
    ) -> FigureRecord:
        """Draw or paint the figure."""
        module = importlib.import_module(f"chainer_style.figures.figure{cell.figure}")
        settings = module.make(cell.name, self._request(), folder, progress)
        progress(1, "done")
        record: FigureRecord = self.result(cell, settings=settings)
        return record

    def _request(self) -> Request:
        from chainer_style.figures.request import Request

        fields = {field.name for field in dataclasses.fields(Request)}
        return Request(**{name: getattr(self, name) for name in fields})

    def summary(self, record: FigureRecord) -> str:
        """Return the number of pictures, and the weights where there are some."""
        files = len(record.files)
        label = record.settings.get("weights", {}).get("label")
        pictures = f"{files} file" + "s" * (files != 1)
        return f"{pictures}, {label}" if label else pictures
