"""Measure what tiles cost beside the picture as a whole.

    python benchmarks/tiling.py
    python benchmarks/tiling.py --networks nin --sizes 512 --tiles 256:0 256:4

Engine cpu computes the same transfer as a whole and in tiles, each in a process of its
own; they take turns, so that whatever else the machine does hits all alike. Tiles are
given as pixels, and how many taps' features the way back computes anew: ``512:0`` keeps
all that there is to keep, as a generous budget lets it, ``512:4`` nothing. ``tightest``
are the smallest that a budget comes to, ``kept`` those that it keeps all of.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from chainer_style.report import formats, tilings  # noqa: E402
from chainer_style.report.tilings import Row  # noqa: E402

if TYPE_CHECKING:
    from contenders import Contender

    from chainer_style.engines.base import Engine, Problem
    from chainer_style.tiling.budget import Side


@dataclasses.dataclass(frozen=True)
class Way:
    """How a picture is cut; see `chainer_style.tiling.budget.Layout`.

    A side of 0 stands for the smallest that a budget comes to: of all, or, where
    nothing is computed anew, of those that are kept.
    """

    side: int
    again: int

    @classmethod
    def read(cls, word: str) -> Way:
        """Return what a word such as ``512:4`` says."""
        if word in NAMED:
            return NAMED[word]
        side, _, again = word.partition(":")
        found = cls(int(side), int(again or 0))
        if found.side < 1 or found.again < 0:
            raise ValueError(word)
        return found

    def __call__(self, problem: Problem, threads: int) -> Engine:
        """Return the engine."""
        from chainer_style.tiling import create
        from chainer_style.tiling.budget import Cut, Layout

        side = _sketch(problem, threads, self.side)
        again = min(self.again, len(problem.network.taps))
        layout = Layout(self.side, again, on_disk=False)
        return create.tiled(problem, Cut(side, layout), threads)

    def of(self, problem: Problem, threads: int) -> Way:
        """Return it with a side."""
        from chainer_style.tiling import budget

        if self.side:
            return self
        sketch = functools.cache(functools.partial(_sketch, problem, threads))
        sides = budget.sides_of(sketch)
        if self.again:
            return Way(sides[-1], self.again)
        layouts = (budget.Layout(side, again=0, on_disk=False) for side in sides)
        enough = (budget.Cut(sketch(one.side), one).total for one in layouts)
        chosen = (budget.choose(sketch, memory).layout for memory in enough)
        return Way(min(one.side for one in chosen if not one.again), 0)


def _sketch(problem: Problem, threads: int, side: int) -> Side:
    """Return a transfer in tiles of a size, as drafts."""
    from chainer_style.tiling.budget import Extents, Side

    extents = Extents(problem.content.shape[2:], problem.style.shape[2:])
    return Side(problem.network, extents, side, threads)


NAMED = {"kept": Way(0, 0), "tightest": Way(0, 4)}

WAYS = (Way(1024, 0), Way(512, 0), Way(512, 4), *NAMED.values())
"""All kept, or nothing, and the smallest of both that budgets come to."""


def main() -> None:
    """Measure all cells and write the record."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--networks", nargs="+", default=["nin", "vgg16"])
    options.add_argument("--sizes", nargs="+", type=int, default=[1024, 2048])
    options.add_argument(
        "--tiles", nargs="+", type=Way.read, default=WAYS, metavar="PIXELS:AGAIN"
    )
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--rounds", type=int, default=5)
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
        # Small ones first: for half a minute after a process of gigabytes has ended,
        # some iterations of tiles take half as long again.
        for size, name in itertools.product(sorted(given.sizes), given.networks):
            cell = Cell(name, size, given.threads)
            print(cell.title, flush=True)
            try:
                rows += measure(
                    cell, given.tiles, given.weights, given.rounds, given.seconds
                )
            except (UserError, WorkerError) as error:
                print(f"not measured: {error}", flush=True)
    except UserError as error:
        sys.exit(str(error))
    content = {"rounds": given.rounds, "seconds": given.seconds, "rows": rows}
    path = given.record or processes.default_path("tiling", "tiling")
    processes.save(path, "benchmarks/tiling", content, phases.PACKAGES)
    print(*table(tilings.read_rows(path)), sep="\n")


def measure(
    cell: Cell, ways: Sequence[Way], weights: str, rounds: int, seconds: float
) -> list[dict[str, Any]]:
    """Return a row for the whole picture, and one for each way to cut it.

    Parameters
    ----------
    cell
        What to measure.
    ways
        To cut it; tiles that are as large as it is are left out.
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
    problem = phases.pose(cell, weights)
    (whole,) = contenders.chosen(["cpu"])
    makers = {None: whole}
    smaller = [way for way in ways if way.side < cell.size]
    cut = [way.of(problem, cell.threads) for way in smaller]
    makers |= {way: dataclasses.replace(whole, create=way) for way in cut}

    def start(maker: Contender) -> Worker:
        return Worker(maker, problem, cell.threads, check=False)

    starts = {str(way): functools.partial(start, own) for way, own in makers.items()}
    found = measuring.mean_turns(starts, rounds, seconds)
    return [
        {
            "network": cell.network,
            "size": cell.size,
            "threads": cell.threads,
            "side": way.side if way else None,
            "again": way.again if way else 0,
            "turns": found[str(way)],
        }
        for way in makers
    ]


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table of what was found."""
    yield from text.aligned(
        [
            ("", "s", "s per megapixel", "times the whole"),
            *(
                (
                    row.title,
                    formats.plain(row.seconds),
                    formats.plain(row.seconds_per_megapixel),
                    _times(row, rows),
                )
                for row in rows
            ),
        ],
        words=1,
    )


def _times(row: Row, rows: Sequence[Row]) -> str:
    times = tilings.times(row, rows)
    return "" if times is None else f"{times:.2f}"


if __name__ == "__main__":
    main()
