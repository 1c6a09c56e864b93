"""Measure what other precisions than float32 gain, and what they cost.

    python benchmarks/precision.py
    python benchmarks/precision.py --networks nin --sizes 128
    python benchmarks/precision.py --gpu 0 --sizes 512 --iterations 500

Engine cpu, or engine cuda on a card, takes turns with itself in its other precisions on
the same transfer. Loss and gradient at the start are compared with Chainer's in double
precision, the pictures at the end with that of float32.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import gpu  # noqa: E402
import numpy as np  # noqa: E402
import processes  # noqa: E402
from contenders import LEAN  # noqa: E402
from measuring import CONTENT, STYLE  # noqa: E402

from chainer_style import engines, networks, protocols, text, transfer  # noqa: E402
from chainer_style.engines import Precision  # noqa: E402
from chainer_style.engines.base import Device, Engine, Problem  # noqa: E402
from chainer_style.errors import UserError  # noqa: E402
from chainer_style.report import formats, precisions  # noqa: E402
from chainer_style.report.precisions import Row  # noqa: E402

COMPARED: dict[str, tuple[Precision, ...]] = {
    "cpu": ("float32", "bf16"),
    "cuda": ("float32", "tf32", "fp16", "bf16"),
}
"""Of each engine."""

PROTOCOLS = {"modern": protocols.get("modern"), "2016": LEAN}

TURN = {"cpu": 4, "cuda": 50}
"""Iterations of a turn, behind one that finds the caches full of what others left."""


def main() -> None:
    """Measure all cells and write the record."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--networks", nargs="+", default=["vgg16", "nin"])
    options.add_argument("--sizes", nargs="+", type=int, default=[128, 256])
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--gpu", type=int, default=-1, help="a card; none by default")
    options.add_argument("--iterations", type=int, default=100)
    options.add_argument(
        "--protocol", choices=PROTOCOLS, default="modern", help="2016 without its waste"
    )
    options.add_argument("--record", type=Path, help="JSON file to write")
    given = options.parse_args()
    device = Device(given.gpu, cudnn=given.gpu >= 0, threads=given.threads)
    rows = []
    try:
        for name, size in itertools.product(given.networks, given.sizes):
            networks.get(name)
            rows += measure(name, size, device, given.iterations, given.protocol)
    except UserError as error:
        sys.exit(str(error))
    content = {
        "threads": given.threads,
        "iterations": given.iterations,
        "protocol": given.protocol,
        "rows": rows,
    }
    packages = gpu.PACKAGES if device.is_gpu else ("numba", "llvmlite")
    file = precisions.ON_CARD if device.is_gpu else precisions.FILE
    path = given.record or processes.default_path(file.stem, file.parent.name)
    processes.save(path, "benchmarks/precision", content, packages)
    print(*table(precisions.read_rows(path)), sep="\n")


def measure(
    name: str, size: int, device: Device, iterations: int, protocol: str = "modern"
) -> list[dict[str, Any]]:
    """Return a row for each precision."""
    asked = PROTOCOLS[protocol].with_options(
        model=name, width=size, weights="seeded", iterations=iterations
    )
    problem = transfer.pose(CONTENT, STYLE, protocol=asked)
    engine = "cuda" if device.is_gpu else "cpu"
    everyone = {
        precision: engines.create(engine, problem, device, precision)
        for precision in COMPARED[engine]
    }
    deviations = _deviations(everyone, problem)
    seconds: dict[str, list[float]] = {precision: [] for precision in everyone}
    for _ in range(-(-iterations // (TURN[engine] + 1))):
        for precision, own in everyone.items():
            seconds[precision].append(_turn(own, TURN[engine]))
    exact = everyone["float32"].image
    moved = np.abs(exact - problem.start)
    return [
        {
            "network": name,
            "size": size,
            "precision": precision,
            "seconds": statistics.median(seconds[precision]),
            "loss_deviation": deviations[precision][0],
            "gradient_deviation": deviations[precision][1],
            "apart": float(np.abs(own.image - exact).mean()),
            "moved": float(moved.mean()),
        }
        for precision, own in everyone.items()
    ]


def _deviations(
    everyone: Mapping[str, Engine], problem: Problem
) -> dict[str, tuple[float, float]]:
    """Return those of losses and gradients from the reference's, relative."""
    reference = engines.create("chainer", problem, Device(), "float64")
    true, gradient = reference.evaluate(problem.start)
    found = {}
    for precision, engine in everyone.items():
        losses, own = engine.evaluate(problem.start)
        difference = np.linalg.norm(own - gradient) / np.linalg.norm(gradient)
        found[precision] = abs(losses.total / true.total - 1), float(difference)
    return found


def _turn(engine: Engine, iterations: int) -> float:
    """Return the seconds of an iteration, of a turn."""
    engine.step()
    engine.synchronize()
    begun = time.perf_counter()
    for _ in range(iterations):
        engine.step()
    engine.synchronize()
    return (time.perf_counter() - begun) / iterations


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
