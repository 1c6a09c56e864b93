"""What an experiment is: cells, and how one of them is measured."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic

from chainer_style.experiments.records import C, Record

Progress = Callable[[float, str], None]
"""Called with the share of a cell that is done, 0 to 1, and a word on how it goes."""


class Experiment(abc.ABC, Generic[C]):
    """An experiment of the paper.

    A frozen dataclass whose fields are its options, so that it can be sent to the
    process that measures, and told from the same experiment with other options.
    """

    record: ClassVar[type[Record[Any]]]
    """Class of its records; names the experiment."""

    @abc.abstractmethod
    def cells(self) -> Sequence[C]:
        """Return what is to be measured, in order."""

    @abc.abstractmethod
    def title(self, cell: C) -> str:
        """Return a cell's name to print."""

    @abc.abstractmethod
    def estimate(self, cell: C) -> float:
        """Return roughly how many seconds a cell takes, for the time left."""

    @abc.abstractmethod
    def measure(self, cell: C, folder: Path, progress: Progress) -> Record[C]:
        """Measure a cell; called in a process of its own.

        Parameters
        ----------
        cell
            One of `cells`, without an obstacle.
        folder
            Where to leave pictures; it is there.
        progress
            To be called now and then.

        Returns
        -------
        Record
            Made by `result`.

        Raises
        ------
        UserError
            If what the user gave cannot be used.
        MemoryError
            Leads to a record with that reason, as every end of the process does.
        """

    @abc.abstractmethod
    def summary(self, record: Any) -> str:
        """Return in a few words what was measured, for the terminal."""

    def obstacle(self, cell: C) -> str | None:
        """Return why a cell cannot be measured on this machine, or None."""
        return None

    def check(self) -> None:
        """Refuse options that cannot be used, before anything is measured.

        Raises
        ------
        UserError
            Naming the option.
        """

    def networks(self) -> frozenset[str]:
        """Return the networks whose trained weights it would use if it had them."""
        return frozenset()

    @property
    def name(self) -> str:
        """Name of the experiment, and of the folder of its records."""
        return self.record.experiment

    def result(self, cell: C, **what: Any) -> Any:
        """Return the record of a cell on this machine."""
        from chainer_style.provenance import environment

        return self.record(cell=cell, environment=environment(), **what)
