"""Measure where the time of an iteration goes on a CUDA device, kernel by kernel.

    python benchmarks/gpu_kernels.py
    python benchmarks/gpu_kernels.py --sizes 1024 --contenders cuda --each 20

Each contender iterates in a process of its own: first while nobody looks, then while
CUPTI, through PyTorch's profiler, notes when every kernel of the process began and
ended, those of a replayed CUDA graph too. What the iteration takes beyond its kernels
is the time between them.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import itertools
import multiprocessing
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import gpu  # noqa: E402
import gpu_contenders  # noqa: E402
import gpu_measuring  # noqa: E402
import processes  # noqa: E402
from gpu_contenders import CardContender  # noqa: E402
from gpu_measuring import Cell  # noqa: E402

from chainer_style import cores, networks, text  # noqa: E402
from chainer_style.engines.base import Engine, Problem  # noqa: E402
from chainer_style.errors import UserError  # noqa: E402
from chainer_style.report import formats, kernels, races  # noqa: E402
from chainer_style.report.kernels import Trace  # noqa: E402

FIRST, TURNS, LOOKED_AT = 10, 5, 20
"""Iterations before anything is timed, turns while nobody looks, and iterations that
are looked at."""

TURN = 0.2
"""Seconds of a turn, roughly."""

WAITING = re.compile(r"Synchron|\bSync\b|Stream Wait|^Optimizer\.")
"""Names of events of the device that are no kernels."""

Launch = tuple[str, float, float]
"""Name of a kernel, and when it began and ended, in seconds."""


def main() -> None:
    """Measure all cells, and write a record of each."""
    given = _options().parse_args()
    run = itertools.product(given.networks, given.precisions, given.sizes)
    try:
        for name in given.networks:
            networks.get(name)
        if reason := gpu.no_card():
            print(f"nothing is measured: {reason}")
            return
        for network, precision, size in run:
            cell = Cell(network, size, precision)
            print(f"\n{cell.title}", flush=True)
            content = measure(cell, given.contenders, given.weights)
            path = processes.default_path(cell.key, "gpu_kernels")
            if given.results:
                path = given.results / path.name
            processes.save(path, "benchmarks/gpu_kernels", content, gpu.PACKAGES)
            for own in content["contenders"]:
                if own["reason"]:
                    print(f"{own['title']}: not measured, {own['reason']}")
            for trace in kernels.load(path):
                print(*table(trace, given.each), sep="\n", flush=True)
    except UserError as error:
        sys.exit(str(error))


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--networks", nargs="+", default=["vgg16"])
    options.add_argument("--sizes", nargs="+", type=int, default=[64, 128, 512, 1024])
    options.add_argument(
        "--precisions", nargs="+", default=["tf32"], choices=races.PRECISIONS
    )
    options.add_argument("--contenders", nargs="+", default=["cuda", "torch-graph"])
    options.add_argument("--weights", default="seeded")
    options.add_argument(
        "--each", type=int, default=10, help="print so many kernels, the longest first"
    )
    options.add_argument("--results", type=Path, help="folder to write records to")
    return options


def measure(cell: Cell, names: list[str], weights: str) -> dict[str, Any]:
    """Return the content of a cell's record.

    Parameters
    ----------
    cell
        What to measure.
    names
        Of the contenders.
    weights
        See `chainer_style.weights.load`.
    """
    found = []
    context = multiprocessing.get_context("spawn")
    for contender in gpu_contenders.chosen(names, cell.precision):
        own: dict[str, Any] = {"name": contender.name, "title": contender.title}
        own["reason"] = contender.obstacle()
        try:
            if not own["reason"]:
                problem = gpu_measuring.pose(cell, weights)
                with ProcessPoolExecutor(1, mp_context=context) as pool:
                    own |= pool.submit(observed, contender, problem).result()
        except BrokenProcessPool:
            own["reason"] = "its process ended"
        except Exception as error:  # a peer's; the others go on
            lines = str(error).strip().splitlines() or [type(error).__name__]
            own["reason"] = lines[0]
        found.append(own)
    return {
        "cell": dataclasses.asdict(cell),
        "settings": {"turns": TURNS, "looked_at": LOOKED_AT},
        "contenders": found,
    }


def observed(contender: CardContender, problem: Problem) -> dict[str, Any]:
    """Iterate, and return the seconds of an iteration and its kernels.

    Raises
    ------
    UserError
        If the profiler sees no kernels.
    """
    # Between two sessions CUPTI stays: CUDA graphs do not survive that it goes.
    os.environ["TEARDOWN_CUPTI"] = "0"
    import torch

    protocol = contender.protocol.with_options(
        model=problem.protocol.model, width=problem.protocol.width
    )
    posed = dataclasses.replace(problem, protocol=protocol)
    loop = contender.create(posed, cores.available())
    per_iteration(loop, FIRST)
    length = gpu_measuring.length(per_iteration(loop, FIRST), TURN)
    turns = [per_iteration(loop, length) for _ in range(TURNS)]
    del loop
    gc.collect()
    activities = [torch.profiler.ProfilerActivity.CUDA]
    # CUPTI sees into those graphs only that were captured while it was there.
    with torch.profiler.profile(activities=activities):
        torch.zeros(1, device="cuda").add_(1)
        torch.cuda.synchronize()
    loop = contender.create(posed, cores.available())
    per_iteration(loop, FIRST)
    with torch.profiler.profile(activities=activities) as profile:
        per_iteration(loop, LOOKED_AT)
    launches = list(launches_of(profile.events()))
    if not launches:
        raise UserError("CUPTI sees no kernels here; is it allowed to look?")
    return {"turns": turns, **summed(launches, LOOKED_AT)}


def per_iteration(loop: Engine, count: int) -> float:
    """Return the seconds of an iteration, of some that are timed as a whole."""
    loop.synchronize()
    started = time.perf_counter()
    for _ in range(count):
        loop.step()
    loop.synchronize()
    return (time.perf_counter() - started) / count


def launches_of(events: Iterable[Any]) -> Iterator[Launch]:
    """Yield what ran on the device, of a profiler's events; waiting is no work."""
    import torch

    for event in events:
        if event.device_type != torch.autograd.DeviceType.CUDA:
            continue
        marked = getattr(event, "is_user_annotation", False)
        if not marked and not WAITING.search(event.name):
            span = event.time_range
            yield event.name, span.start / 1e6, span.end / 1e6


def summed(launches: Sequence[Launch], iterations: int) -> dict[str, Any]:
    """Return the kernels of an iteration, and how long any of them ran.

    Parameters
    ----------
    launches
        Of all iterations.
    iterations
        How many there were.
    """
    found: dict[str, list[float]] = defaultdict(list)
    busy, reached = 0.0, float("-inf")
    for name, begun, ended in sorted(launches, key=lambda launch: launch[1]):
        found[name].append(ended - begun)
        busy += max(0.0, ended - max(begun, reached))
        reached = max(reached, ended)
    return {
        "busy": busy / iterations,
        "kernels": [
            {
                "name": name,
                "launches": len(own) / iterations,
                "seconds": sum(own) / iterations,
            }
            for name, own in found.items()
        ],
    }


# -- tables ----------------------------------------------------------------


def table(trace: Trace, each: int) -> Iterator[str]:
    """Yield the lines of a table of kinds of work, and of the longest kernels."""

    def row(name: str, what: str, seconds: float) -> tuple[str, ...]:
        share = 100 * seconds / trace.seconds
        return (name, what, f"{1e6 * seconds:.1f}", f"{share:.1f} %")

    rows = [row(name, "", seconds) for name, seconds in trace.groups.items()]
    rows.append(row(kernels.GAPS, "", trace.gaps))
    rows.append(row("an iteration", f"{trace.launches:.0f}", trace.seconds))
    rows += [
        row(kernels.short(k.name), f"{k.launches:g}", k.seconds)
        for k in trace.kernels[:each]
    ]
    head = (trace.title, "kernels", "µs", "share")
    yield from text.aligned([head, *rows], words=1)
    longest = formats.milliseconds(trace.seconds)
    yield f"{longest} ms while nobody looked; kernels as CUPTI saw them"


if __name__ == "__main__":
    main()
