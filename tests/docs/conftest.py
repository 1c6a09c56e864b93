from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chainer_style.experiments import records
from chainer_style.experiments.rates import RateRecord
from chainer_style.paper import Cell

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "docs" / "_ext"))

CARD = {
    "name": "Some GPU",
    "memory_bytes": 2**33,
    "compute_capability": "9.0",
    "driver": 12080,
    "cuda": 12040,
}
SETTINGS = {
    "weights": {"kind": "seeded", "label": "seeded (untrained) weights"},
    "protocol": {"name": "2016"},
    "engine": "chainer",
    "seed": 0,
    "content": "a_.jpg",
    "style": "b*.jpg",
    "requested_seconds": 60,
}


@pytest.fixture(scope="session")
def root():
    """The repository."""
    return ROOT


@pytest.fixture
def folder(tmp_path):
    """Records of two made-up machines: one with a GPU, one that measured little."""
    for machine, gpu in (("one", CARD), ("two", None)):
        environment = {
            "machine": machine,
            "cpu": f"Processor | of {machine}*",
            "cores": 2,
            "memory_bytes": 2**34,
            "gpu": gpu,
            "system": "Linux x86_64",
            "python": "3.13.0",
            "libraries": {"chainer": "7.8.1", "numpy": "2.4.6"},
            "blas": [],
            "chainer_style": "0.1.0",
            "commit": None,
        }
        made = {"environment": environment, "started": "2026-01-02T03:04:05+00:00"}
        for column, seconds in (("CPU", 0.5), ("GPU", 0.125)):
            cell = Cell("vgg16", 128, column)
            if column == "GPU" and gpu is None:
                record = RateRecord(cell=cell, **made, reason="no CUDA device")
            else:
                times = [9.0, *[seconds] * 20]
                record = RateRecord(
                    cell=cell,
                    **made,
                    seconds=times,
                    dropped=1,
                    peak_memory_bytes=700 * 2**20,
                    settings=SETTINGS,
                )
            records.save(record, tmp_path)
    return tmp_path
