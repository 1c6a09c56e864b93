"""Measure what bfloat16 gains, and what it costs.

    python benchmarks/precision.py
    python benchmarks/precision.py --networks nin --sizes 128

Engine cpu with ``--precision float32`` and ``bf16`` takes turns on the same transfer,
protocol modern. Loss and gradient at the start are compared with Chainer's in double
precision, the pictures at the end with each other.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import numpy as np  # noqa: E402
import processes  # noqa: E402
from measuring import CONTENT, STYLE  # noqa: E402

from chainer_style import engines, networks, text, transfer  # noqa: E402
from chainer_style.engines import Precision  # noqa: E402
from chainer_style.engines.base import Device, Engine, Problem  # noqa: E402
from chainer_style.errors import UserError  # noqa: E402
from chainer_style.report import formats  # noqa: E402
from chainer_style.report.precisions import Row, read_rows  # noqa: E402

COMPARED: tuple[Precision, ...] = ("float32", "bf16")

TURN = 5
"""Iterations of a turn; the first finds the caches full of what the other left."""


def main() -> None:
    """Measure all cells and write the record."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--networks", nargs="+", default=["vgg16", "nin"])
    options.add_argument("--sizes", nargs="+", type=int, default=[128, 256])
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--iterations", type=int, default=100)
    options.add_argument("--record", type=Path, help="JSON file to write")
    given = options.parse_args()
    rows = []
    try:
        for name, size in itertools.product(given.networks, given.sizes):
            networks.get(name)
            rows += measure(name, size, given.threads, given.iterations)
    except UserError as error:
        sys.exit(str(error))
    content = {"threads": given.threads, "iterations": given.iterations, "rows": rows}
    path = given.record or processes.default_path("precision", "precision")
    processes.save(path, "benchmarks/precision", content, ("numba", "llvmlite"))
    print(*table(read_rows(path)), sep="\n")


def measure(
    name: str, size: int, threads: int, iterations: int
) -> list[dict[str, Any]]:
    """Return a row for each precision."""
    problem = transfer.pose(
        CONTENT, STYLE, protocol="modern", model=name, width=size, weights="seeded"
    )
    both = {
        precision: engines.create("cpu", problem, Device(threads=threads), precision)
        for precision in COMPARED
    }
    deviations = {p: _deviations(engine, problem) for p, engine in both.items()}
    seconds: dict[str, list[float]] = {precision: [] for precision in COMPARED}
    for _ in range(-(-iterations // TURN)):
        for precision, engine in both.items():
            seconds[precision] += [_timed(engine) for _ in range(TURN)][1:]
    pictures = {precision: engine.image for precision, engine in both.items()}
    apart = np.abs(pictures["bf16"] - pictures["float32"])
    moved = np.abs(pictures["float32"] - problem.start)
    return [
        {
            "network": name,
            "size": size,
            "precision": precision,
            "seconds": statistics.median(seconds[precision]),
            "loss_deviation": deviations[precision][0],
            "gradient_deviation": deviations[precision][1],
            "apart": 0.0 if precision == "float32" else float(apart.mean()),
            "moved": float(moved.mean()),
        }
        for precision in COMPARED
    ]


def _deviations(engine: Engine, problem: Problem) -> tuple[float, float]:
    """Return those of loss and gradient from the reference's, relative."""
    reference = engines.create("chainer", problem, Device(), "float64")
    true, gradient = reference.evaluate(problem.start)
    losses, found = engine.evaluate(problem.start)
    difference = np.linalg.norm(found - gradient) / np.linalg.norm(gradient)
    return abs(losses.total / true.total - 1), float(difference)


def _timed(engine: Engine) -> float:
    begun = time.perf_counter()
    engine.step()
    return time.perf_counter() - begun


def table(rows: list[Row]) -> Any:
    """Yield the lines of a table of what was found."""
    head = ("", "ms", "loss", "gradient", "grey levels apart", "moved")
    yield from text.aligned(
        [
            head,
            *(
                (
                    row.title,
                    formats.milliseconds(row.seconds),
                    f"{row.loss_deviation:.0e}",
                    f"{row.gradient_deviation:.0e}",
                    f"{row.apart:.2f}",
                    f"{row.moved:.1f}",
                )
                for row in rows
            ),
        ],
        words=1,
    )


if __name__ == "__main__":
    main()
