"""Records of benchmarks whose cells are a network, a size and a number of threads."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from chainer_style import networks
from chainer_style.errors import UserError


class Cell(Protocol):
    """What such a record tells of its cell."""

    @property
    def network(self) -> str:
        """Name of the network."""

    @property
    def size(self) -> int:
        """Side of the square picture in pixels."""

    @property
    def threads(self) -> int:
        """How many computed."""


C = TypeVar("C", bound=Cell)
R = TypeVar("R")

FORMAT = 1
"""Of records that hold several cells."""


def title(cell: Cell) -> str:
    """Return network and number of threads, to print."""
    count = "one thread" if cell.threads == 1 else f"{cell.threads} threads"
    return f"{networks.get(cell.network).title}, {count}"


def ratio(longer: Sequence[float], shorter: Sequence[float]) -> float:
    """Return how many times as long turns took as others: the median over rounds."""
    return statistics.median(a / b for a, b in zip(longer, shorter, strict=True))


def by_size(cells: Iterable[C]) -> list[list[C]]:
    """Put cells together that differ in size alone."""
    found: dict[tuple[str, int], list[C]] = {}
    for cell in cells:
        found.setdefault((cell.network, cell.threads), []).append(cell)
    return list(found.values())


def load(path: Path, make: Callable[[Mapping[str, Any]], R]) -> R:
    """Read a record.

    Parameters
    ----------
    path
        Its file.
    make
        Makes it of what the file holds.

    Raises
    ------
    UserError
        If the file is no such record.
    """
    try:
        return make(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} is not a record: {error}") from None


def read_rows(path: Path, make: Callable[..., R]) -> list[R]:
    """Return the rows of a record that holds several cells.

    Parameters
    ----------
    path
        Its file.
    make
        Makes a row of what the file holds of it, given by name.

    Raises
    ------
    UserError
        If the file is no such record.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']}, not {FORMAT}")
        return [make(**row) for row in document["rows"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is not a record: {error}") from None


def gather(folder: Path, load: Callable[[Path], R]) -> tuple[list[R], list[str]]:
    """Return what a folder of records holds, and a line for each file that is none.

    Parameters
    ----------
    folder
        With the records.
    load
        Reads one of them.
    """
    found, skipped = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(load(path))
        except UserError as error:
            skipped.append(str(error))
    return found, skipped


def read(folder: Path, load: Callable[[Path], C]) -> tuple[list[C], list[str]]:
    """Return what a folder of records holds, by network, threads and size.

    Parameters
    ----------
    folder
        With the records.
    load
        Reads one of them.

    Returns
    -------
    cells
        What could be read.
    skipped
        One line for each file that could not.
    """
    found, skipped = gather(folder, load)
    order = list(networks.NETWORKS)
    found.sort(key=lambda c: (order.index(c.network), c.threads, c.size))
    return found, skipped
