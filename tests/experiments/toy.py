"""An experiment that does what its cells are called."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainer_style.errors import UserError
from chainer_style.experiments.base import Experiment, Progress
from chainer_style.experiments.records import TimedRecord


@dataclass(frozen=True)
class ToyCell:
    name: str

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class ToyRecord(TimedRecord[ToyCell]):
    experiment = "toy"
    cell_type = ToyCell


@dataclass(frozen=True)
class Toy(Experiment[ToyCell]):
    record = ToyRecord

    names: tuple[str, ...]
    option: int = 0

    def cells(self):
        return [ToyCell(name) for name in self.names]

    def title(self, cell):
        return f"the cell {cell.name}"

    def estimate(self, cell):
        return 10.0

    def obstacle(self, cell):
        return "not on this machine" if cell.name == "elsewhere" else None

    def check(self):
        if self.option < 0:
            raise UserError("option must be 0 or more")

    def summary(self, record):
        return f"{record.median:.1f} s"

    def measure(self, cell: ToyCell, folder: Path, progress: Progress) -> Any:
        match cell.name:
            case "refused":
                raise UserError("no such thing")
            case "too large":
                raise MemoryError
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exits":
                os._exit(3)
        progress(0.5, "half way")
        with (folder / "calls").open("a") as file:
            file.write(f"{cell.name}\n")
        return self.result(cell, seconds=[3.0, 1.0], dropped=1)
