"""Measure style transfer on the CPU: stock Chainer, PyTorch and this package.

    python benchmarks/cpu.py
    python benchmarks/cpu.py --quick
    python benchmarks/cpu.py --networks vgg16 --sizes 128 --contenders torch cpu

Everyone optimises the same picture with the same losses, and has to find the same
loss and gradient before it is timed. They take turns, each in a process of its own, so
that whatever else the machine does hits all alike. PyTorch comes with
``pip install 'chainer-style[benchmark]'``; who is not there is left out, with the
reason.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import contenders  # noqa: E402
import measuring  # noqa: E402
import processes  # noqa: E402
from measuring import Cell, Settings  # noqa: E402

from chainer_style import networks, text  # noqa: E402
from chainer_style.errors import UserError  # noqa: E402
from chainer_style.report import contest, formats  # noqa: E402
from chainer_style.report.contest import Contest, Entry  # noqa: E402

PACKAGES = ("torch", "numba", "llvmlite")
"""Whose versions belong to the records, beside those of every record."""


def main() -> None:
    """Measure all cells, and write a record of each."""
    given = _options().parse_args()
    if given.quick:
        given.sizes, given.rounds, given.seconds = [128], 3, 0.3
    settings = Settings(given.rounds, given.seconds, given.weights)
    try:
        for name in given.networks:
            networks.get(name)
        run = itertools.product(given.networks, given.sizes, given.threads)
        with tempfile.TemporaryDirectory(prefix="benchmark-") as cache:
            # Compiled anew in every run, and kept from one process to the next.
            variables = {"TORCHINDUCTOR_CACHE_DIR": cache}
            takes_part = list(contenders.chosen(given.contenders))
            for cell in itertools.starmap(Cell, run):
                print(f"\n{cell.title}", flush=True)
                content = measuring.measure(cell, takes_part, settings, variables)
                path = processes.default_path(cell.key, "cpu")
                if given.results:
                    path = given.results / path.name
                processes.save(path, "benchmarks/cpu", content, PACKAGES)
                print(*table(contest.load(path)), sep="\n", flush=True)
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
        "--contenders",
        nargs="+",
        default=[*contenders.PEERS, *contenders.OWN],
        help=f"{', '.join(contenders.PEERS)}, or engines of this package",
    )
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument(
        "--seconds", type=float, default=1.0, help="of each one's turn, roughly"
    )
    options.add_argument("--weights", default="seeded")
    options.add_argument(
        "--quick", action="store_true", help="128 px, three short rounds"
    )
    options.add_argument("--results", type=Path, help="folder to write records to")
    return options


def table(found: Contest) -> Iterator[str]:
    """Yield the lines of a table of what was found."""
    by_reason = {entry.reason: entry.title for entry in found.entries.values()}
    if len(by_reason) == 1 and not found.measured:
        yield f"not measured: {next(iter(by_reason))}"
        return
    head = ("", "ms", "GFLOP/s", "of sgemm", "× PyTorch", "× 2016", "MiB", "gradient")
    rows = [_row(found, entry) for entry in found.measured]
    yield from text.aligned([head, *rows], words=1)
    for entry in found.entries.values():
        if not entry.measured:
            yield f"{entry.title}: not measured, {entry.reason}"
    if found.ceiling:
        peak = found.ceiling_flops_per_second / 1e9
        yield f"sgemm: {formats.plain(peak)} GFLOP/s"


def _row(found: Contest, entry: Entry) -> tuple[str, ...]:
    ratios = (
        contest.ratio(other, entry) for other in (found.best("pytorch"), found.of_2016)
    )
    peak, deviation = entry.peak_memory_bytes, entry.gradient_deviation
    return (
        entry.title,
        formats.milliseconds(entry.seconds),
        formats.plain(found.flops_per_second(entry) / 1e9),
        f"{100 * found.share(entry):.0f} %",
        *("—" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
        "—" if peak is None else f"{peak / 2**20:.0f}",
        "—" if deviation is None else f"{deviation:.0e}",
    )


if __name__ == "__main__":
    main()
