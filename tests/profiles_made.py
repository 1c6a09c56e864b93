"""Records of ``benchmarks/phases.py`` with made-up times."""

from __future__ import annotations

import json

from contests import ENVIRONMENT


def step(name, kind, seconds, flops=0, moved=0, backward=False, picture=False):
    return {
        "name": name,
        "kind": kind,
        "backward": backward,
        "picture": picture,
        "flops": flops,
        "bytes": moved,
        "seconds": seconds,
    }


STEPS = [
    step("conv1", "windows", 0.010, flops=10**8, picture=True),
    step("conv2", "winograd4", 0.040, flops=2 * 10**9),
    step("pool1", "pool", 0.006, moved=2 * 10**7),
    step("conv2 Gram", "gram", 0.008, flops=10**9),
    step("conv2 Gram", "compare", 0.002, moved=10**7),
    step("conv2 losses", "style", 0.005, flops=10**8, backward=True),
    step("pool1 back", "unpool", 0.004, moved=2 * 10**7, backward=True),
    step("conv2 back", "winograd6", 0.060, flops=2 * 10**9, backward=True),
    step("conv1 back", "gather", 0.015, 10**8, backward=True, picture=True),
    step("Adam and clip", "adam", 0.001, moved=10**6, picture=True),
]
"""At 100 GFLOP/s and 10 GB/s."""


def document(network="vgg16", size=128, threads=1, steps=STEPS):
    """Return a record."""
    return {
        "format": 1,
        "experiment": "benchmarks/phases",
        "ended": "2026-01-02T03:04:05+00:00",
        "cell": {"network": network, "size": size, "threads": threads},
        "settings": {},
        "iterations": [0.2, 0.15, 0.16],
        "steps": steps,
        "ceiling": [
            {"kind": "product", "size": 1000, "work": 2 * 10**9, "seconds": [9, 0.02]},
            {"kind": "copy", "size": 10**8, "work": 8 * 10**8, "seconds": [9, 0.08]},
            {"kind": "triad", "size": 10**8, "work": 12 * 10**8, "seconds": [9, 0.15]},
        ],
        "memory": {"predicted_bytes": 100 << 20, "measured_bytes": 103 << 20},
        "environment": ENVIRONMENT,
    }


def write(results, *documents):
    """Write records of a machine and return its folder."""
    machine = results / "one"
    folder = machine / "benchmarks" / "phases"
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(documents):
        (folder / f"{number}.json").write_text(json.dumps(content))
    return machine
