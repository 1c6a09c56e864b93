"""Measure what more threads gain.

    python benchmarks/threads.py
    python benchmarks/threads.py --networks nin --sizes 128 --threads 1 2 4

Engine cpu computes the same transfer with each number of threads, each in a process of
its own; they take turns, so that whatever else the machine does hits all alike.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import contenders  # noqa: E402
import measuring  # noqa: E402
import phases  # noqa: E402
import processes  # noqa: E402
from measuring import Cell  # noqa: E402
from workers import Worker, WorkerError  # noqa: E402

from chainer_style import networks, text  # noqa: E402
from chainer_style.errors import UserError  # noqa: E402
from chainer_style.report import formats, scaling  # noqa: E402
from chainer_style.report.scaling import Row  # noqa: E402


def main() -> None:
    """Measure all cells and write the record."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--networks", nargs="+", default=["vgg16", "nin"])
    options.add_argument("--sizes", nargs="+", type=int, default=[64, 128, 256, 512])
    options.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument(
        "--seconds", type=float, default=1.0, help="of each one's turn, roughly"
    )
    options.add_argument("--weights", default="seeded")
    options.add_argument("--record", type=Path, help="JSON file to write")
    given = options.parse_args()
    rows: list[dict[str, Any]] = []
    try:
        for name in given.networks:
            networks.get(name)
        for name, size in itertools.product(given.networks, given.sizes):
            cells = [Cell(name, size, threads) for threads in given.threads]
            try:
                rows += measure(cells, given.weights, given.rounds, given.seconds)
            except (UserError, WorkerError) as error:
                print(f"{name}, {size} px: not measured, {error}", flush=True)
    except UserError as error:
        sys.exit(str(error))
    content = {"rounds": given.rounds, "seconds": given.seconds, "rows": rows}
    path = given.record or processes.default_path("threads", "threads")
    processes.save(path, "benchmarks/threads", content, phases.PACKAGES)
    print(*table(scaling.read_rows(path)), sep="\n")


def measure(
    cells: Sequence[Cell], weights: str, rounds: int, seconds: float
) -> list[dict[str, Any]]:
    """Return a row for each number of threads.

    Parameters
    ----------
    cells
        What to measure: of one network and size.
    weights
        See `chainer_style.weights.load`.
    rounds
        Turns of each.
    seconds
        Of a turn, roughly.

    Raises
    ------
    UserError
        If the picture is too small for the network, or the weights cannot be used.
    WorkerError
        If a process ended.
    """
    problem = phases.pose(cells[0], weights)
    (engine,) = contenders.chosen(["cpu"])

    def start(cell: Cell) -> Worker:
        print(cell.title, flush=True)
        return Worker(engine, problem, cell.threads, check=False)

    makers = {cell.key: functools.partial(start, cell) for cell in cells}
    found = measuring.mean_turns(makers, rounds, seconds)
    return [
        {
            "network": cell.network,
            "size": cell.size,
            "threads": cell.threads,
            "turns": found[cell.key],
        }
        for cell in cells
    ]


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table of what was found."""
    yield from text.aligned(
        [
            ("", "ms", "gain"),
            *(
                (row.title, formats.milliseconds(row.seconds), _gain(row, rows))
                for row in rows
            ),
        ],
        words=1,
    )


def _gain(row: Row, rows: Sequence[Row]) -> str:
    gain = scaling.gain(row, rows)
    return "" if gain is None else f"{gain:.2f}"


if __name__ == "__main__":
    main()
