from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chainer_style import added, report
from chainer_style.experiments import records
from chainer_style.experiments.rates import RateRecord
from chainer_style.paper import RATE_TABLES, Cell

SEEDED = "seeded (untrained) weights"
TRAINED = "trained weights"

CELLS = tuple(
    dict.fromkeys(c for table in RATE_TABLES.values() for c in added.cells(table))
)

Write = Callable[..., None]


def environment(machine: str, *, gpu: bool) -> dict[str, Any]:
    card = {
        "name": "Card <9>",
        "memory_bytes": 8 << 30,
        "compute_capability": "8.6",
        "driver": 12040,
        "cuda": 12020,
    }
    return {
        "machine": machine,
        "cpu": f"CPU of {machine}",
        "cores": 4,
        "memory_bytes": 16 << 30,
        "gpu": card if gpu else None,
        "system": "Linux x86_64",
        "python": "3.11.7",
        "libraries": {"chainer": "7.8.1", "numpy": "2.4.6"},
        "blas": [{"internal_api": "openblas", "version": "0.3", "num_threads": 4}],
        "chainer_style": "0.1.0",
        "commit": "c0ffee" * 6,
    }


def settings(cell: Cell, label: str, requested: float) -> dict[str, Any]:
    return {
        "protocol": {"name": "2016"},
        "weights": {"label": label, "source": "seed 0", "sha256": None, "seed": 0},
        "engine": cell.engine,
        "seed": 0,
        "content": "lighthouse.jpg",
        "style": "swirls.jpg",
        "picture": f"{cell.key}.png",
        "requested_seconds": requested,
        "last_loss": 1.0,
    }


def times(cell: Cell, lasting: float, seed: int) -> list[float]:
    """Return steady times with a slow first iteration, for at least so long."""
    noise = random.Random(f"{cell.key} {seed}")
    slow = {"CPU": 0.9, "GPU": 0.05, "cuDNN": 0.04, "engine cpu": 0.3}[cell.name]
    typical = slow * cell.size / 128
    found = [3 * typical]
    while sum(found) < lasting or len(found) < 4:
        found.append(typical * noise.uniform(0.95, 1.05))
    return found


def write_machine(
    results: Path,
    machine: str,
    lasting: float,
    *,
    reasons: Mapping[Cell, str] = {},
    labels: Mapping[str, str] = {},
    gpu: bool = False,
    cells: Iterable[Cell] = CELLS,
) -> dict[Cell, RateRecord]:
    """Write a machine's records and pictures; return the records."""
    written = {}
    for cell in cells:
        reason = reasons.get(cell)
        if not gpu and cell.column != "CPU":
            reason = "no CUDA device"
        where = environment(machine, gpu=gpu)
        when = "2026-01-02T03:04:05+00:00"
        record = RateRecord(cell=cell, environment=where, started=when, reason=reason)
        if reason is None:
            label = labels.get(cell.network, SEEDED)
            record = RateRecord(
                cell=cell,
                environment=where,
                started=when,
                seconds=times(cell, lasting, len(machine)),
                dropped=1,
                peak_memory_bytes=123 << 20,
                settings=settings(cell, label, lasting),
            )
            folder = results / machine / record.experiment
            folder.mkdir(parents=True, exist_ok=True)
            picture = Image.new("RGB", (cell.size, cell.size), (cell.size % 256, 9, 9))
            picture.save(folder / f"{cell.key}.png")
        records.save(record, results)
        written[cell] = record
    return written


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two machines: `short`, 20 s on a CPU; `long`, five minutes with a GPU."""
    folder = tmp_path_factory.mktemp("results")
    write_machine(folder, "short", 20)
    failed = Cell("nin", 128, "cuDNN")
    write_machine(
        folder,
        "long",
        300,
        reasons={failed: "out of memory at 4 GiB"},
        labels={"vgg16": TRAINED},
        gpu=True,
    )
    return folder


@pytest.fixture(scope="session")
def built(results: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of `results`, led by either machine."""
    pages = {}
    for machine in ("short", "long"):
        output = tmp_path_factory.mktemp("report") / "new" / machine
        pages[machine] = report.build(results, output, machine).parent
    return pages


@pytest.fixture
def machine_writer() -> Callable[..., dict[Cell, RateRecord]]:
    return write_machine


@pytest.fixture
def environment_of() -> Callable[..., dict[str, Any]]:
    return environment
