"""Measure style transfer on a CUDA device: PyTorch, stock Chainer and engine cuda.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --quick
    python benchmarks/gpu.py --networks nin --sizes 64 128 --precisions float32 bf16

Everyone optimises the same picture with the same losses, each in a process of its own,
in turns. A turn is timed as a whole: the device is waited for before the clock starts
and after its last iteration, and never in between. Loss and gradient are compared with
Chainer's in double precision on the CPU; whoever is off has no times. That takes long
for large pictures: ``--references FOLDER`` keeps it, and ``--only-references`` does
nothing else, for which no card is needed.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import gpu_contenders  # noqa: E402
import gpu_measuring  # noqa: E402
import gpu_memory  # noqa: E402
import gpu_references  # noqa: E402
import processes  # noqa: E402
from gpu_measuring import Cell, Settings  # noqa: E402
from workers import WorkerError  # noqa: E402

from chainer_style import cores, networks, text  # noqa: E402
from chainer_style.engines import devices  # noqa: E402
from chainer_style.engines.base import Device  # noqa: E402
from chainer_style.errors import UserError  # noqa: E402
from chainer_style.experiments import ceilings, streams  # noqa: E402
from chainer_style.experiments.ceilings import Run  # noqa: E402
from chainer_style.report import formats, races  # noqa: E402
from chainer_style.report.races import Entry, Race  # noqa: E402

PACKAGES = (
    "torch",
    "triton",
    *(f"nvidia-{name}" for name in ("cublas", "cublas-cu12", "cudnn-cu12")),
    *("nvidia-cudnn-cu13", "nvidia-ml-py"),
)
"""Whose versions belong to the records, beside those of every record."""


def main() -> None:
    """Measure all cells, and write a record of each."""
    given = _options().parse_args()
    if given.quick:
        given.sizes, given.rounds, given.seconds = [128], 3, 0.1
    run = itertools.product(given.networks, given.precisions, given.sizes)
    cells = [Cell(n, size, precision) for n, precision, size in run]
    try:
        for name in given.networks:
            networks.get(name)
        with tempfile.TemporaryDirectory(prefix="benchmark-") as cache:
            variables = {"TORCHINDUCTOR_CACHE_DIR": cache}
            settings = Settings(
                given.rounds, given.seconds, given.weights, given.references, variables
            )
            if given.only_references:
                compute_references(cells, settings)
            elif not given.on_cpu and (reason := no_card()):
                print(f"nothing is measured: {reason}")
            else:
                compete(cells, settings, given)
    except UserError as error:
        sys.exit(str(error))


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--networks", nargs="+", default=["vgg16"])
    options.add_argument(
        "--sizes", nargs="+", type=int, default=[64, 128, 256, 512, 1024]
    )
    options.add_argument(
        "--precisions", nargs="+", default=["tf32"], choices=races.PRECISIONS
    )
    options.add_argument(
        "--contenders",
        nargs="+",
        default=list(gpu_contenders.DEFAULT),
        help=(
            f"{', '.join([*gpu_contenders.TORCH, *gpu_contenders.CHAINER])}, or "
            "engines of this package"
        ),
    )
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument(
        "--seconds", type=float, default=0.3, help="of each one's turn, roughly"
    )
    options.add_argument("--weights", default="seeded")
    options.add_argument(
        "--references", type=Path, help="folder that keeps what the CPU computed"
    )
    options.add_argument(
        "--only-references", action="store_true", help="compute these, and nothing else"
    )
    options.add_argument(
        "--quick", action="store_true", help="128 px, three short rounds"
    )
    options.add_argument("--results", type=Path, help="folder to write records to")
    options.add_argument("--on-cpu", action="store_true", help=argparse.SUPPRESS)
    return options


def no_card() -> str | None:
    """Return why no card can be measured, or None."""
    missing = devices.obstacle(Device(0, cudnn=False))
    return missing and f"{missing.reason} ({missing.cause})"


def compute_references(cells: Sequence[Cell], settings: Settings) -> None:
    """Compute losses and gradients in double precision, and keep them.

    Raises
    ------
    UserError
        If there is no folder to keep them in.
    """
    if settings.references is None:
        raise UserError("--only-references needs --references FOLDER to keep them in")
    for network, size in dict.fromkeys((cell.network, cell.size) for cell in cells):
        cell = Cell(network, size, "float32")
        print(f"{networks.get(network).title}, {size} px", flush=True)
        try:
            problem = gpu_measuring.pose(cell, settings.weights)
            gpu_references.reference(cell, problem, settings)
        except (UserError, WorkerError) as error:
            print(f"  not computed: {error}")


def compete(
    cells: Sequence[Cell], settings: Settings, given: argparse.Namespace
) -> None:
    """Measure all cells."""
    place = "cpu" if given.on_cpu else "card"
    meter = gpu_memory.Nothing() if given.on_cpu else gpu_memory.meter()
    runs = {
        precision: limits(precision, given.seconds, given.on_cpu)
        for precision in dict.fromkeys(cell.precision for cell in cells)
    }
    with_whom = [
        (cell, list(gpu_contenders.chosen(given.contenders, cell.precision, place)))
        for cell in cells
    ]
    gpu_measuring.compile_ahead(with_whom, settings)
    for cell, takes_part in with_whom:
        print(f"\n{cell.title}", flush=True)
        content = gpu_measuring.measure(
            cell, takes_part, settings, meter, runs[cell.precision]
        )
        path = processes.default_path(cell.key, "gpu")
        if given.results:
            path = given.results / path.name
        processes.save(path, "benchmarks/gpu", content, PACKAGES)
        print(*table(races.load(path)), sep="\n", flush=True)


def limits(precision: str, seconds: float, on_cpu: bool) -> tuple[Run, ...]:
    """Return products and streams of the card, measured in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_limits, precision, seconds, on_cpu).result()


def _limits(precision: str, seconds: float, on_cpu: bool) -> tuple[Run, ...]:
    each = min(seconds, ceilings.SECONDS)
    if on_cpu:
        with streams.OnCpu(cores.available()) as bench:
            return ceilings.repeat(bench, ceilings.SIZES["CPU"][:2], each)
    with streams.OnGpu(precision) as bench:
        return ceilings.repeat(bench, ceilings.SIZES["GPU"], each)


# -- tables ----------------------------------------------------------------


def table(found: Race) -> Iterator[str]:
    """Yield the lines of a table of what was found, and of what is asked for."""
    head = (
        *("", "ms", "it/s", "TFLOP/s", "of product"),
        *("× eager", "× PyTorch", "peak MiB", "loss", "gradient"),
    )
    rows = [_row(found, entry) for entry in found.measured]
    if rows:
        yield from text.aligned([head, *rows], words=1)
    for entry in found.entries.values():
        if not entry.measured:
            yield f"{entry.title}: not measured, {entry.reason}"
    peak, bandwidth = found.ceiling_flops_per_second, found.ceiling_bytes_per_second
    if peak and bandwidth:
        yield (
            f"matrix product: {formats.plain(peak / 1e12)} TFLOP/s; memory: "
            f"{formats.plain(bandwidth / 1e9)} GB/s"
        )
    for target in races.targets(found):
        most = "at most" if target.most else "at least"
        reached = "—" if target.reached is None else formats.plain(target.reached)
        yield f"{target.what}: {reached}, {most} {target.asked}: {target.verdict}"


def _row(found: Race, entry: Entry) -> tuple[str, ...]:
    ratios = (races.ratio(o, entry) for o in (found.eager, found.best("pytorch")))
    peak = found.peak(entry)
    return (
        entry.title,
        formats.milliseconds(entry.seconds),
        formats.plain(1 / entry.seconds),
        formats.plain(found.flops_per_second(entry) / 1e12),
        races.percent(found.share(entry)),
        *("—" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
        "—" if peak is None else f"{peak / 2**20:.0f}",
        *(
            "—" if off is None else f"{off:.0e}"
            for off in (entry.loss_deviation, entry.gradient_deviation)
        ),
    )


if __name__ == "__main__":
    main()
