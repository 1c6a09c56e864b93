"""Measure where the time of engine cpu goes, beside what it takes at least.

    python benchmarks/phases.py
    python benchmarks/phases.py --quick --steps
    python benchmarks/phases.py --networks vgg16 --sizes 256 --threads 2 --memory

The floor of a step is what its products take at the rate of the fastest matrix product
of NumPy's BLAS, or what its arrays take at the fastest stream through memory, whichever
is longer; both are measured right after, with as many threads. It is a yardstick and no
law: the engine's own products may be faster than those of BLAS, and arrays that stay in
a cache are faster than memory. Such a step takes less than one time its floor.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import measuring  # noqa: E402
import numpy as np  # noqa: E402
import processes  # noqa: E402
from contenders import LEAN  # noqa: E402
from measuring import Cell  # noqa: E402
from workers import FIRST, PAUSE  # noqa: E402

from chainer_style import memory, networks, text, transfer  # noqa: E402
from chainer_style.engines.base import Device, Problem  # noqa: E402
from chainer_style.errors import UserError  # noqa: E402
from chainer_style.experiments import ceilings, streams  # noqa: E402
from chainer_style.networks import INPUT  # noqa: E402
from chainer_style.report import formats, profiles  # noqa: E402
from chainer_style.report.profiles import Profile, Step  # noqa: E402

if TYPE_CHECKING:
    from chainer_style.engines.cpu.engine import CpuEngine
    from chainer_style.engines.cpu.plan import Plan

FEWEST = 5
"""Iterations that count at least."""

PACKAGES = ("numba", "llvmlite")
"""Whose versions belong to the records, beside those of every record."""


def main() -> None:
    """Measure all cells, or be the child whose memory is measured."""
    given = _options().parse_args()
    if given.child:
        name, size, threads, weights = given.child
        processes.child(lambda: _grow(Cell(name, int(size), int(threads)), weights))
        return
    if given.quick:
        given.sizes, given.seconds = [128], 0.3
    try:
        for name in given.networks:
            networks.get(name)
        run = itertools.product(given.networks, given.sizes, given.threads)
        for cell in itertools.starmap(Cell, run):
            print(f"\n{cell.title}", flush=True)
            try:
                problem = pose(cell, given.weights)
            except UserError as error:
                print(f"not measured: {error}")
                continue
            content, plan = measure(cell, problem, given.seconds)
            grown = processes.measure(__file__, _words(cell, given.weights), 1)
            content["memory"]["measured_bytes"] = grown["peak_above_start_bytes"]
            path = processes.default_path(cell.key, "phases")
            if given.results:
                path = given.results / path.name
            processes.save(path, "benchmarks/phases", content, PACKAGES)
            found = profiles.load(path)
            print(*table(found, given.steps), sep="\n")
            if given.memory:
                print(*memory_map(found, plan), sep="\n", flush=True)
    except UserError as error:
        sys.exit(str(error))


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--networks", nargs="+", default=["vgg16", "nin"])
    options.add_argument("--sizes", nargs="+", type=int, default=[64, 128, 256, 512])
    options.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    options.add_argument(
        "--seconds", type=float, default=5.0, help="of iterations, roughly"
    )
    options.add_argument("--weights", default="seeded")
    options.add_argument("--steps", action="store_true", help="print every step")
    options.add_argument(
        "--memory", action="store_true", help="print what lies in memory, and how long"
    )
    options.add_argument(
        "--quick", action="store_true", help="128 px, a moment of iterations"
    )
    options.add_argument("--results", type=Path, help="folder to write records to")
    options.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    return options


def pose(cell: Cell, weights: str) -> Problem:
    """Return what is optimised: protocol 2016 without waste.

    Raises
    ------
    UserError
        If the picture is too small for the network, or the weights cannot be used.
    """
    asked = LEAN.with_options(model=cell.network, width=cell.size, weights=weights)
    transfer.network_for(asked).check_size(cell.size, cell.size)
    return transfer.pose(measuring.CONTENT, measuring.STYLE, protocol=asked)


def engine(cell: Cell, problem: Problem) -> CpuEngine:
    """Return the engine."""
    from chainer_style.engines.cpu.engine import CpuEngine

    return CpuEngine(problem, Device(threads=cell.threads))


def measure(
    cell: Cell, problem: Problem, seconds: float
) -> tuple[dict[str, Any], Plan]:
    """Return the content of a cell's record but for its memory, and the plan.

    Parameters
    ----------
    cell
        What to measure.
    problem
        What is optimised.
    seconds
        Of iterations, roughly.
    """
    found = engine(cell, problem)
    iterations, steps = timed(found, seconds)
    time.sleep(PAUSE)
    with streams.OnCpu(cell.threads) as bench:
        each = min(seconds, ceilings.SECONDS)
        runs = ceilings.repeat(bench, ceilings.SIZES["CPU"], each)
    content = {
        "cell": dataclasses.asdict(cell),
        "settings": {
            "protocol": dataclasses.asdict(problem.protocol),
            "weights": problem.weights.as_record(),
            "content": measuring.CONTENT.name,
            "style": measuring.STYLE.name,
            "seconds": seconds,
            "dropped": FIRST,
        },
        "iterations": iterations,
        "steps": [dataclasses.asdict(step) for step in steps],
        "ceiling": [dataclasses.asdict(run) for run in runs],
        "memory": {"predicted_bytes": predicted(cell, problem)},
    }
    return content, found.plan


def timed(found: CpuEngine, seconds: float) -> tuple[list[float], list[Step]]:
    """Iterate, and return the seconds of the iterations, and the steps."""
    from chainer_style.engines.cpu.convolving import SQUARES
    from chainer_style.engines.cpu.costs import cost

    iterations, steps = iterate(found, seconds)
    plan = found.plan
    groups = np.cumsum(plan.program["beside"] == 0) - 1
    own = {"picture", f"gradient {INPUT}"}
    own |= {name for name in plan.draft.sizes if name.startswith(SQUARES)}
    described = [
        Step(
            name=line.name,
            kind=kind(step),
            backward=bool(step["backward"]),
            picture=not own.isdisjoint(line.uses.values()),
            **dataclasses.asdict(cost(step)),
            seconds=float(one),
            group=int(group),
        )
        for line, step, one, group in zip(
            plan.draft.lines, plan.program, steps, groups, strict=True
        )
    ]
    return iterations, described


def kind(step: Any) -> str:
    """Return the name of a step's kernel."""
    from chainer_style.engines.cpu.kernels.steps import KINDS

    return KINDS[step["kind"]]


def iterate(found: CpuEngine, seconds: float) -> tuple[list[float], Any]:
    """Iterate for some time behind the first iterations.

    Returns
    -------
    iterations
        Seconds of each one.
    steps
        Seconds of each step: the median.
    """
    for _ in range(FIRST):
        found.step()
    iterations: list[float] = []
    steps = []
    end = time.perf_counter() + seconds
    while len(iterations) < FEWEST or time.perf_counter() < end:
        started = time.perf_counter()
        found.step()
        iterations.append(time.perf_counter() - started)
        steps.append(found.plan.shares() * iterations[-1])
    return iterations, np.median(steps, axis=0)


# -- memory ----------------------------------------------------------------


def predicted(cell: Cell, problem: Problem) -> int:
    """Return the bytes that the engine is predicted to allocate."""
    from chainer_style.engines.cpu.footprint import Footprint

    network, protocol = problem.network, problem.protocol
    extents = problem.content.shape[2:], problem.style.shape[2:]
    return Footprint.of(network, protocol, *extents, cell.threads).total


def _words(cell: Cell, weights: str) -> list[str]:
    return [cell.network, str(cell.size), str(cell.threads), weights]


def _grow(cell: Cell, weights: str) -> Callable[[], object]:
    """Return what lets a process that has all else ready grow by the engine."""
    from chainer_style.engines.cpu import compiled

    compiled.load()
    problem = pose(cell, weights)
    memory.trim()
    memory.forget_peak()

    def run() -> None:
        found = engine(cell, problem)
        for _ in range(FIRST):
            found.step()

    return run


def memory_map(found: Profile, plan: Plan) -> Iterator[str]:
    """Yield the lines of what lies in memory, and of what is predicted in all."""
    from chainer_style.engines.cpu import footprint

    lines = plan.draft.lines
    buffers = plan.draft.buffers()
    yield ""
    yield from footprint.table(buffers, len(lines))
    whole = sum(buffer.size for buffer in buffers)
    shared = formats.mebibytes(plan.arena.size)
    yield f"{formats.mebibytes(whole)} of buffers share {shared}."
    yield (
        f"All that the engine allocates: {formats.mebibytes(found.predicted_bytes)} "
        f"predicted, {formats.mebibytes(found.measured_bytes)} measured."
    )


# -- tables ----------------------------------------------------------------


def table(found: Profile, each: bool) -> Iterator[str]:
    """Yield the lines of a table of phases, or of steps."""
    named = (
        [(f"{step.name} ({step.kind})", [step]) for step in found.steps]
        if each
        else list(found.phases.items())
    )
    rows = [_row(found, name, steps, profiles.lasted(steps)) for name, steps in named]
    rows.append(_row(found, "iteration", found.steps, found.seconds))
    head = ("", "ms", "share", "floor, ms", "of what", "times")
    yield from text.aligned([head, *rows], words=1)
    peak, bandwidth = found.flops_per_second / 1e9, found.bytes_per_second / 1e9
    yield (
        f"sgemm: {formats.plain(peak)} GFLOP/s; memory: {formats.plain(bandwidth)} "
        f"GB/s; {len(found.iterations)} iterations"
    )


def _row(
    found: Profile, name: str, steps: Sequence[Step], seconds: float
) -> tuple[str, ...]:
    floor = found.floor(steps)
    return (
        name,
        formats.milliseconds(seconds),
        f"{100 * seconds / found.seconds:.1f} %",
        formats.milliseconds(floor.seconds),
        floor.limit,
        formats.plain(seconds / floor.seconds),
    )


if __name__ == "__main__":
    main()
