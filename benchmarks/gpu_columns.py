"""Measure the columns of the paper's Tables 4 and 5 that need a card, and no other.

    python benchmarks/gpu_columns.py
    python benchmarks/gpu_columns.py --seconds 300

``make reproduce`` measures them too, beside all else. Records are the same; so are the
machine's setup and its ceilings, which belong to every report.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import gpu  # noqa: E402
from measuring import CONTENT, STYLE  # noqa: E402

from chainer_style import paper  # noqa: E402
from chainer_style.errors import UserError  # noqa: E402
from chainer_style.experiments import runner  # noqa: E402
from chainer_style.experiments.base import Experiment  # noqa: E402
from chainer_style.experiments.ceilings import Ceilings  # noqa: E402
from chainer_style.experiments.rates import Rates  # noqa: E402
from chainer_style.experiments.setup import Setup  # noqa: E402


def main() -> None:
    """Measure them, and write the records."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seconds", type=float, default=5.0, help="of each cell")
    options.add_argument("--weights", default="seeded")
    options.add_argument("--results", type=Path, default=ROOT / "results")
    given = options.parse_args()
    if reason := gpu.no_card():
        print(f"nothing is measured: {reason}")
        return
    chosen = experiments(given.seconds, given.weights)
    try:
        for job, record in runner.run(chosen, given.results, quiet=True, afresh=True):
            found = job.experiment.summary(record) if record.measured else record.reason
            print(f"{job.title:<40} {found}", flush=True)
    except UserError as error:
        sys.exit(str(error))


def experiments(seconds: float, weights: str) -> Sequence[Experiment[Any]]:
    """Return the setup, the ceilings, and Tables 4 and 5 on the card.

    Parameters
    ----------
    seconds
        Of each cell of the tables.
    weights
        See `chainer_style.weights.load`.
    """
    cells = tuple(
        cell
        for table in paper.RATE_TABLES.values()
        for cell in table.cells
        if cell.column != "CPU"
    )
    return [Setup(), Ceilings(), Rates(cells, seconds, CONTENT, STYLE, weights)]


if __name__ == "__main__":
    main()
