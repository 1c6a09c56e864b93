"""Machines with ceilings, rates and a set-up, made for tests."""

from __future__ import annotations

from pathlib import Path

from chainer_style.doctor import Finding
from chainer_style.experiments.ceilings import Ceiling, CeilingRecord, Run
from chainer_style.experiments.rates import RateRecord
from chainer_style.experiments.setup import SetupRecord, Whole
from chainer_style.paper import Cell
from chainer_style.report.machines import Machine

FLOPS, BYTES = float(1 << 37), float(1 << 34)
"""Per second: powers of two, so that no ratio of them is rounded."""


def environment(name, threads=2):
    return {
        "machine": name,
        "cpu": f"Processor_{name}",
        "cores": 2,
        "gpu": None,
        "blas": [{"internal_api": "openblas", "num_threads": threads}],
    }


def ceiling(name, cell, flops, byterate, reason=None):
    """Return a record of exactly these rates."""
    runs = (
        Run("product", 100, 2_000_000, (9.0, 2_000_000 / flops)),
        Run("product", 200, 16_000_000, (9.0, 32_000_000 / flops)),
        Run("copy", 1000, 8000, (9.0, 8000 / byterate)),
        Run("triad", 1000, 12000, (9.0, 24000 / byterate)),
    )
    return CeilingRecord(
        cell=cell,
        environment=environment(name),
        reason=reason,
        runs=() if reason else runs,
    )


def rate(name, cell, seconds, threads=2):
    return RateRecord(
        cell=cell,
        environment=environment(name, threads),
        seconds=(9.0, seconds),
        dropped=1,
    )


def setup(name, *findings):
    return SetupRecord(cell=Whole(), environment=environment(name), findings=findings)


def machine(name, *records):
    by_experiment = {}
    for record in records:
        by_experiment.setdefault(record.experiment, {})[record.cell] = record
    return Machine(name, Path("nowhere"), by_experiment)


def whole(name="one"):
    """A machine with everything but a GPU."""
    return machine(
        name,
        setup(
            name,
            Finding("Machine", "System", "System_9: of | today"),
            Finding("Machine", "PCI 0000:01:00.0", "3D controller: NVIDIA Corp"),
            Finding("CUDA", "CuPy", "not installed", "optional"),
        ),
        ceiling(name, Ceiling("CPU", "one"), FLOPS / 2, BYTES),
        ceiling(name, Ceiling("CPU"), FLOPS, BYTES),
        ceiling(name, Ceiling("GPU"), 1, 1, reason="no CUDA device"),
        rate(name, Cell("vgg16", 128, "CPU"), 0.4),
        rate(name, Cell("nin", 128, "CPU"), 0.1),
    )
