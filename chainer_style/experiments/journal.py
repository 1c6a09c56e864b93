"""What of a run is done, so that an interrupted one can go on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainer_style.errors import UserError

NAME = "unfinished"
"""File beside a machine's records while a run is under way."""


def plan_of(experiments: Sequence[Any]) -> str:
    """Return what tells a run from one of other experiments, options or code."""
    from chainer_style.provenance import environment

    code = (environment()["chainer_style"], environment()["commit"])
    return hashlib.sha256(repr((experiments, code)).encode()).hexdigest()


@dataclass(frozen=True)
class Journal:
    """The list of the cells that a run has done: a line for the plan, one for each.

    Attributes
    ----------
    path
        The file. It is there only while a run is under way.
    plan
        See `plan_of`.
    """

    path: Path
    plan: str

    def done(self) -> list[str]:
        """Return what the last run did if it had this plan and was interrupted."""
        try:
            plan, *done = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return []
        return done if plan == self.plan else []

    def begin(self, done: Iterable[str]) -> None:
        """Start the file anew, with what is done already."""
        self._write("w", [self.plan, *done])

    def add(self, cell: str) -> None:
        """Note a cell whose record is saved."""
        self._write("a", [cell])

    def end(self) -> None:
        """Remove the file: nothing is left to do."""
        self.path.unlink(missing_ok=True)

    def _write(self, mode: str, lines: Iterable[str]) -> None:
        try:
            with self.path.open(mode, encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror}") from None
