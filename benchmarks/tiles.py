"""Measure every 3x3 convolution by each Winograd tile, beside what is predicted.

    python benchmarks/tiles.py
    python benchmarks/tiles.py --networks vgg16 --sizes 256 --threads 1

Programs of one transfer, in each of which all convolutions take the same tile, iterate
in turns. What `chainer_style.engines.cpu.choice` predicts are cycles; they are printed
as milliseconds at the clock that fits best. On a CPU that the constants there were not
fitted on, that clock is none, and only the choice can be judged: what it loses against
the fastest tile of each convolution.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import phases  # noqa: E402
import processes  # noqa: E402
from measuring import Cell  # noqa: E402

from chainer_style import networks, text  # noqa: E402
from chainer_style.engines.base import Problem  # noqa: E402
from chainer_style.engines.cpu import choice, compiled  # noqa: E402
from chainer_style.engines.cpu.iteration import Iteration  # noqa: E402
from chainer_style.engines.cpu.parameters import Parameters  # noqa: E402
from chainer_style.engines.cpu.targets import targets  # noqa: E402
from chainer_style.engines.cpu.team import team  # noqa: E402
from chainer_style.errors import UserError  # noqa: E402
from chainer_style.report import formats  # noqa: E402

TILES = tuple(made for made in choice.MADE[3] if made)
"""Results of a tile along an axis."""

TURN = 4
"""Iterations of a turn; the first does not count."""


@dataclass(frozen=True)
class Found:
    """A convolution, there or back.

    Attributes
    ----------
    name
        Of its step.
    chosen
        The tile that `choice` takes.
    cycles
        Predicted, by tile.
    seconds
        Measured, by tile: the median.
    """

    name: str
    chosen: int
    cycles: Mapping[int, float]
    seconds: Mapping[int, float]

    @property
    def best(self) -> int:
        """The fastest tile."""
        return min(TILES, key=lambda made: self.seconds[made])


def main() -> None:
    """Measure all cells, and write a record of each."""
    given = _options().parse_args()
    try:
        for name in given.networks:
            networks.get(name)
        run = itertools.product(given.networks, given.sizes, given.threads)
        for cell in itertools.starmap(Cell, run):
            print(f"\n{cell.title}", flush=True)
            try:
                problem = phases.pose(cell, given.weights)
            except UserError as error:
                print(f"not measured: {error}")
                continue
            found = measure(cell, problem, given.rounds)
            if not found:
                print("no convolution can be computed by tiles")
                continue
            path = processes.default_path(cell.key, "tiles")
            if given.results:
                path = given.results / path.name
            content = {
                "cell": dataclasses.asdict(cell),
                "settings": {"rounds": given.rounds, "turn": TURN},
                "convolutions": [dataclasses.asdict(one) for one in found],
            }
            processes.save(path, "benchmarks/tiles", content, phases.PACKAGES)
            print(*table(found), sep="\n", flush=True)
    except UserError as error:
        sys.exit(str(error))


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--networks", nargs="+", default=["vgg16"])
    options.add_argument("--sizes", nargs="+", type=int, default=[64, 128, 256, 512])
    options.add_argument("--threads", nargs="+", type=int, default=[1])
    options.add_argument("--rounds", type=int, default=7, help="turns of each")
    options.add_argument("--weights", default="seeded")
    options.add_argument("--results", type=Path, help="folder to write records to")
    return options


def measure(cell: Cell, problem: Problem, rounds: int) -> list[Found]:
    """Return what was found of every 3x3 convolution that tiles can compute.

    Parameters
    ----------
    cell
        What to measure.
    problem
        What is optimised.
    rounds
        Turns of each program.
    """
    network, extent = problem.network, problem.content.shape[2:]
    chosen = choice.tiles(network, *extent)
    runs = {made: _with_tiles(cell, problem, chosen, made) for made in TILES}
    times: dict[int, list[Mapping[str, float]]] = {made: [] for made in TILES}
    for _, (made, run) in itertools.product(range(rounds), runs.items()):
        # The first one finds the caches full of what the others left.
        times[made] += [_timed(run) for _ in range(TURN)][1:]
    shapes = network.shapes(*extent)
    found = []
    for (name, backward), tile in chosen.items():
        step = f"{name}{' back' * backward}"
        if not tile or network[name].window.kernel != 3:
            continue
        if step not in times[tile][0]:
            continue
        ends = shapes[network[name].inputs[0]], shapes[name]
        read, written = ends[::-1] if backward else ends
        cycles = {m: choice.cycles(m, read.channels, written) for m in TILES}
        seconds = {m: statistics.median(own[step] for own in times[m]) for m in TILES}
        found.append(Found(step, tile, cycles, seconds))
    return found


def _with_tiles(
    cell: Cell, problem: Problem, chosen: Mapping[tuple[str, bool], int], made: int
) -> Iteration:
    """Return an iteration whose convolutions all take one tile, where they can."""
    compiled.load()
    threads = team(cell.threads)
    network = problem.network
    tiles = {
        (name, backward): made if tile and network[name].window.kernel == 3 else tile
        for (name, backward), tile in chosen.items()
    }
    extent = problem.content.shape[2:]
    parameters = Parameters(problem.network, *extent, tiles=tiles)
    found = targets(problem, parameters, threads)
    return Iteration(problem, parameters, found, threads)


def _timed(run: Iteration) -> Mapping[str, float]:
    """Iterate with the picture at rest, and return the seconds of each step by name.

    Where a step comes depends on the tiles: losses go to convolutions that wait.
    """
    seconds = -time.perf_counter()
    run.step(0.0)
    seconds += time.perf_counter()
    return {name: share * seconds for name, share in run.plan.times().items()}


def table(found: Sequence[Found]) -> Iterator[str]:
    """Yield the lines of a table: of each tile, measured and predicted."""
    clock = statistics.median(
        one.cycles[made] / one.seconds[made] for one in found for made in TILES
    )
    head = ["", *(f"F({made})" for made in TILES for _ in range(2)), "chosen", "best"]
    units = ["", *["ms", "predicted"] * len(TILES), "", ""]
    rows = [
        [
            one.name,
            *(
                formats.milliseconds(value)
                for made in TILES
                for value in (one.seconds[made], one.cycles[made] / clock)
            ),
            f"F({one.chosen})",
            f"F({one.best})",
        ]
        for one in found
    ]
    yield from text.aligned([head, units, *rows], words=1)
    chosen = sum(one.seconds[one.chosen] for one in found)
    best = sum(one.seconds[one.best] for one in found)
    alone = [
        f"F({made}) alone {formats.milliseconds(sum(o.seconds[made] for o in found))}"
        for made in TILES
    ]
    yield (
        f"all of them: as chosen {formats.milliseconds(chosen)} ms, the best of each "
        f"{formats.milliseconds(best)}, {', '.join(alone)}"
    )
    off = [
        abs(one.cycles[made] / clock / one.seconds[made] - 1)
        for one in found
        for made in TILES
    ]
    yield (
        f"predicted at {formats.plain(clock / 1e9)} GHz; off by "
        f"{100 * statistics.median(off):.0f} % in the median, {100 * max(off):.0f} % "
        "at most"
    )


if __name__ == "__main__":
    main()
