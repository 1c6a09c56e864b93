"""Records of ``benchmarks/cpu.py`` with made-up times."""

from __future__ import annotations

import json

FLOPS = 1e11
"""Operations per second of the matrix product in every record."""

ENVIRONMENT = {
    "machine": "one",
    "cpu": "Processor",
    "cores": 2,
    "gpu": None,
    "python": "3.12.0",
    "chainer_style": "0.1.0",
    "libraries": {"chainer": "7.8.1", "numpy": "2.4.6", "torch": "2.9_x"},
    "blas": [],
}

FAMILIES = {
    "chainer-2016": "chainer",
    "chainer": "chainer",
    "torch": "pytorch",
    "torch-compile": "pytorch",
    "numpy": "own",
}


def entry(name, seconds, reason=None):
    """Return what a record says of a contender: two equal turns, slow at first."""
    own = {
        "name": name,
        "title": f"The *{name}*",
        "family": FAMILIES.get(name, "own"),
        "reason": reason,
    }
    if reason:
        return own
    return {
        **own,
        "turns": [[9.0, seconds], [9.0, seconds]],
        "idle_seconds": [0.0, 0.001],
        "loss_deviation": seconds * 1e-6,
        "gradient_deviation": seconds * 1e-5,
        "peak_memory_bytes": round(seconds * 2**30),
        "something": "new",
    }


def document(network="vgg16", size=128, threads=1, times=None, reasons=None):
    """Return a record; times and reasons by contender."""
    times = {
        **{"chainer-2016": 1.2, "chainer": 0.8, "torch": 0.6, "torch-compile": 0.5},
        "numpy": 0.2,
        **(times or {}),
    }
    reasons = reasons or {}
    names = dict.fromkeys((*times, *reasons))
    seconds = [9.0, 2e9 / FLOPS]
    return {
        "format": 1,
        "experiment": "benchmarks/cpu",
        "ended": "2026-01-02T03:04:05+00:00",
        "cell": {"network": network, "size": size, "threads": threads},
        "settings": {},
        "contenders": [entry(n, times.get(n), reasons.get(n)) for n in names],
        "ceiling": [
            {"kind": "product", "size": 1000, "work": 2_000_000_000, "seconds": seconds}
        ],
        "environment": ENVIRONMENT,
    }


def write(results, *documents):
    """Write records of a machine and return its folder."""
    machine = results / "one"
    folder = machine / "benchmarks" / "cpu"
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(documents):
        (folder / f"{number}.json").write_text(json.dumps(content))
    return machine
