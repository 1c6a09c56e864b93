"""Measure what several ranks gain, beside what the model of their work expects.

    python benchmarks/ranks.py
    python benchmarks/ranks.py --sizes 256 --ranks 1 2 3 --iterations 3

Needs mpi4py and an MPI library, ``pip install 'chainer-style[mpi]' mpich``. Jobs of one
rank and of several take turns; every rank computes with so many threads.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import phases  # noqa: E402
import processes  # noqa: E402
from measuring import Cell  # noqa: E402
from workers import FIRST  # noqa: E402

from chainer_style import text  # noqa: E402
from chainer_style.engines.base import Device  # noqa: E402
from chainer_style.errors import UserError  # noqa: E402
from chainer_style.report import formats, together  # noqa: E402
from chainer_style.report.together import Row  # noqa: E402

PACKAGES = ("numba", "llvmlite", "mpi4py", "mpich")
"""Whose versions belong to the record, beside those of every record."""


def main() -> None:
    """Measure all cells and write the record, or be one of the ranks."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--network", default="vgg16")
    options.add_argument("--sizes", nargs="+", type=int, default=[512, 1024])
    options.add_argument("--ranks", nargs="+", type=int, default=[1, 2])
    options.add_argument("--threads", type=int, default=1, help="of each rank")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--iterations", type=int, default=4, help="of a turn")
    options.add_argument("--weights", default="seeded")
    options.add_argument("--record", type=Path, help="JSON file to write")
    options.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.child:
        name, size, threads, iterations, weights = given.child
        take_part(Cell(name, int(size), int(threads)), int(iterations), weights)
        return
    try:
        rows = measure(given)
    except UserError as error:
        sys.exit(str(error))
    content = {
        "rounds": given.rounds,
        "iterations": given.iterations,
        "weights": given.weights,
        "rows": rows,
    }
    path = given.record or processes.default_path("ranks", "ranks")
    processes.save(path, "benchmarks/ranks", content, PACKAGES)
    print(*table(together.read_rows(path)), sep="\n")


def measure(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for every size and number of ranks.

    Raises
    ------
    UserError
        If there is no launcher, or a job failed.
    """
    found: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for _, size, count in itertools.product(
        range(given.rounds), given.sizes, given.ranks
    ):
        cell = Cell(given.network, size, given.threads)
        made = job(cell, count, given.iterations, given.weights)
        print(f"{size} px, {count}: {made['seconds']}", flush=True)
        found.setdefault((size, count), []).append(made)
    return [
        {
            "network": given.network,
            "size": size,
            "ranks": count,
            "threads": given.threads,
            "turns": [statistics.median(made["seconds"]) for made in turns],
            "bandwidth": statistics.median(made["bandwidth"] for made in turns),
            "latency": statistics.median(made["latency"] for made in turns),
        }
        for (size, count), turns in found.items()
    ]


def job(cell: Cell, count: int, iterations: int, weights: str) -> dict[str, Any]:
    """Return what the root of a job of so many ranks prints."""
    words = (cell.network, cell.size, cell.threads, iterations, weights)
    command = [launcher(), "-n", str(count), sys.executable, __file__, "--child"]
    command += [str(word) for word in words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UserError(f"the job of {count} ranks failed: {' '.join(command)}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def launcher() -> str:
    """Return mpiexec, of this environment if it has one."""
    own = shutil.which("mpiexec", path=Path(sys.executable).parent)
    if not (found := own or shutil.which("mpiexec")):
        raise UserError("there is no mpiexec; run: pip install mpi4py mpich")
    return found


# -- a rank ----------------------------------------------------------------


def take_part(cell: Cell, iterations: int, weights: str) -> None:
    """Iterate as one of the ranks; the root prints what it took."""
    from chainer_style.tiling.create import Limits, create
    from chainer_style.tiling.ranks import connect, ending

    ours = connect()
    with ending(ours):
        limits = Limits(ranks=ours)
        problem = phases.pose(cell, weights)
        device = Device(threads=cell.threads)
        engine = create("cpu", problem, device, limits=limits)
        for _ in range(FIRST):
            engine.step()
        seconds = []
        for _ in range(iterations):
            ours.agree(True)
            started = time.perf_counter()
            engine.step()
            seconds.append(time.perf_counter() - started)
        latency, bandwidth = link(ours)
        if ours.is_root:
            found = {"seconds": seconds, "latency": latency, "bandwidth": bandwidth}
            print(json.dumps(found), flush=True)


def link(ours: Any) -> tuple[float, float]:
    """Return seconds of an exchange of nothing, and bytes per second of a large one."""
    import numpy as np

    small, large = np.zeros(1, np.float32), np.zeros(1 << 20, np.float32)
    taken = {}
    for array in (small, large):
        times = []
        for _ in range(20):
            ours.agree(True)
            started = time.perf_counter()
            ours.swap(array, array)
            times.append(time.perf_counter() - started)
        taken[array.nbytes] = statistics.median(times)
    latency, whole = taken.values()
    return latency, large.nbytes / max(whole - latency, 1e-9)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table of what was found."""
    head = ("", "s", "gain", "expected", "efficiency")
    lines = []
    for row in rows:
        gain, expected = together.gain(row, rows), together.expected(row, rows)
        lines.append(
            (
                row.title,
                f"{row.seconds:.3f}",
                "" if gain is None else formats.plain(gain),
                "" if expected is None else formats.plain(expected),
                "" if gain is None else f"{100 * gain / row.ranks:.0f} %",
            )
        )
    yield from text.aligned([head, *lines], words=1)


if __name__ == "__main__":
    main()
