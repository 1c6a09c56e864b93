"""Measure pictures past 512 pixels on a CUDA device: as a whole, and in tiles.

    python benchmarks/gpu_tiles.py
    python benchmarks/gpu_tiles.py --sizes 7680x4320 --tiles 2048

Engine cuda computes the same transfer as a whole and in tiles, each in a process of its
own; they take turns. What tiles say of loss and gradient is compared with what the
whole says. Whoever has no room on the card is told so, and the others go on.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import gpu  # noqa: E402
import gpu_measuring  # noqa: E402
import gpu_memory  # noqa: E402
import processes  # noqa: E402
from contenders import LEAN  # noqa: E402
from gpu_contenders import CardContender, Place  # noqa: E402
from gpu_measuring import Settings  # noqa: E402
from gpu_memory import Meter  # noqa: E402
from gpu_references import Truth  # noqa: E402
from measuring import CONTENT, STYLE  # noqa: E402
from workers import Worker  # noqa: E402

from chainer_style import images, networks, text, transfer  # noqa: E402
from chainer_style.errors import UserError  # noqa: E402
from chainer_style.experiments import past  # noqa: E402
from chainer_style.report import card_tiles, formats, races  # noqa: E402
from chainer_style.report.card_tiles import Row  # noqa: E402

if TYPE_CHECKING:
    from chainer_style.engines.base import Engine, Problem

PROTOCOL = LEAN.with_options(square=False)

WHOLE = "whole"
"""Name of who computes a picture as a whole."""


@dataclass(frozen=True)
class Cell:
    """What is measured at once."""

    network: str
    width: int
    height: int
    precision: str

    @property
    def title(self) -> str:
        """Name to print."""
        network = networks.get(self.network).title
        return f"{network}, {self.width}×{self.height} px, {self.precision}"


@dataclass(frozen=True)
class InTiles:
    """Creates an engine that computes in tiles.

    Attributes
    ----------
    side
        Pixels of a tile; None: there is one, the picture.
    precision
        Of features.
    place
        Where.
    """

    side: int | None
    precision: str
    place: Place = "card"

    def __call__(self, problem: Problem, threads: int) -> Engine:
        """Return the engine."""
        from chainer_style.engines.base import Device
        from chainer_style.tiling import create

        on_card = self.place == "card"
        return create.create(
            "cuda" if on_card else "numpy",
            problem,
            Device(0, cudnn=True) if on_card else Device(),
            self.precision,  # type: ignore[arg-type]
            limits=create.Limits(tile=self.side or max(problem.content.shape[2:])),
        )


def main() -> None:
    """Measure all cells, and write the record."""
    given = _options().parse_args()
    rows: list[dict[str, Any]] = []
    path = given.record or processes.default_path(
        card_tiles.FILE.stem, card_tiles.FILE.parent.name
    )
    settings = Settings(given.rounds, given.seconds, given.weights, None, {})
    try:
        networks.get(given.network)
        if reason := gpu.no_card():
            print(f"nothing is measured: {reason}")
            return
        # What was measured is kept, whatever becomes of the next.
        meter = gpu_memory.meter()
        for precision, (width, height) in itertools.product(
            given.precisions, given.sizes
        ):
            cell = Cell(given.network, width, height, precision)
            print(cell.title, flush=True)
            rows += measure(cell, given.tiles, settings, meter)
            content = {"rounds": given.rounds, "seconds": given.seconds, "rows": rows}
            processes.save(path, "benchmarks/gpu_tiles", content, gpu.PACKAGES)
    except UserError as error:
        sys.exit(str(error))
    print(*table(card_tiles.read_rows(path)), sep="\n")


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--network", default="vgg16")
    options.add_argument(
        "--sizes",
        nargs="+",
        type=extents,
        metavar="WIDTHxHEIGHT",
        default=[(512, 512), (1024, 1024), (2048, 2048), (4096, 4096), past.EIGHT_K],
    )
    options.add_argument("--tiles", nargs="+", type=int, default=[2048, 1024, 512])
    options.add_argument(
        "--precisions", nargs="+", default=["tf32"], choices=races.PRECISIONS
    )
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument(
        "--seconds", type=float, default=0.5, help="of each one's turn, roughly"
    )
    options.add_argument("--weights", default="seeded")
    options.add_argument("--record", type=Path, help="JSON file to write")
    return options


def extents(word: str) -> tuple[int, int]:
    """Return the width and the height that a word such as ``7680x4320`` says.

    Raises
    ------
    ValueError
        If it says none.
    """
    width, _, height = word.partition("x")
    found = int(width), int(height or width)
    if min(found) < 1:
        raise ValueError(word)
    return found


def pose(cell: Cell, weights: str) -> Problem:
    """Return what is optimised: protocol 2016 without its waste and its square canvas.

    Raises
    ------
    UserError
        If the picture is too small for the network, or the weights cannot be used.
    """
    asked = PROTOCOL.with_options(
        model=cell.network, width=max(cell.width, cell.height), weights=weights
    )
    transfer.network_for(asked).check_size(cell.height, cell.width)
    content = past.cropped(images.read(CONTENT), cell.width, cell.height)
    return transfer.pose(content, STYLE, protocol=asked)


def contenders(
    cell: Cell, tiles: Sequence[int], place: Place = "card"
) -> list[CardContender]:
    """Return who takes part: the whole, and tiles that are smaller than that."""
    sides = [side for side in tiles if side < max(cell.width, cell.height)]
    return [
        CardContender(
            str(side or WHOLE),
            f"tiles of {side} px" if side else "as a whole",
            "own",
            PROTOCOL,
            InTiles(side, cell.precision, place),
            modules=("chainer_style.tiling.create",),
            precision=cell.precision,
        )
        for side in (None, *sides)
    ]


def measure(
    cell: Cell,
    tiles: Sequence[int],
    settings: Settings,
    meter: Meter,
    place: Place = "card",
) -> list[dict[str, Any]]:
    """Return a row for the whole picture, and one for each size of tiles.

    Parameters
    ----------
    cell
        What to measure.
    tiles
        Pixels of their sides; those that are as large as the picture are left out.
    settings
        How.
    meter
        Tells what is taken of the card's memory.
    place
        Where.

    Raises
    ------
    UserError
        If the picture is too small for the network, or the weights cannot be used.
    """
    problem = pose(cell, settings.weights)
    everyone = contenders(cell, tiles, place)
    entries: dict[str, dict[str, Any]] = {c.name: {"reason": None} for c in everyone}
    workers: dict[str, Worker] = {}
    try:
        for contender in everyone:
            settings.tell(f"{contender.title}, set up")
            workers[contender.name] = gpu_measuring.started(
                contender, problem, settings
            )
            with gpu_measuring.noting(entries, workers, contender.name):
                workers[contender.name].ready()
                gpu_measuring.set_up(
                    workers[contender.name], entries[contender.name], meter
                )
        settings.tell("in turns")
        gpu_measuring.take_turns(workers, entries, settings)
        _compare(workers, entries)
    finally:
        for worker in workers.values():
            worker.close()
    return [
        {
            "network": cell.network,
            "width": cell.width,
            "height": cell.height,
            "precision": cell.precision,
            "side": contender.create.side,
            **entries[contender.name],
        }
        for contender in everyone
    ]


def _compare(workers: dict[str, Worker], entries: dict[str, dict[str, Any]]) -> None:
    """Note by how much loss and gradient of tiles are off from those of the whole."""
    truth: Truth | None = None
    for name in list(workers):
        with gpu_measuring.noting(entries, workers, name):
            loss, gradient = workers[name].evaluate()
            if truth is None and name == WHOLE:
                truth = Truth(loss, gradient)
            elif truth is not None:
                off = truth.deviations(loss, gradient)
                entries[name]["loss_deviation"] = off[0]
                entries[name]["gradient_deviation"] = off[1]


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table of what was found."""
    head = ("", "ms", "per megapixel", "times the whole", "peak", "loss", "gradient")
    measured = [row for row in rows if row.measured]
    cells = [
        (
            row.title,
            formats.milliseconds(row.seconds),
            formats.milliseconds(row.seconds_per_megapixel),
            "" if (found := card_tiles.times(row, rows)) is None else f"{found:.2f}",
            "" if row.peak is None else formats.gibibytes(row.peak),
            *(
                "" if off is None else f"{off:.0e}"
                for off in (row.loss_deviation, row.gradient_deviation)
            ),
        )
        for row in measured
    ]
    yield from text.aligned([head, *cells], words=1)
    for row in rows:
        if not row.measured:
            yield f"{row.title}: not measured, {row.reason}"


if __name__ == "__main__":
    main()
