"""Records of ``benchmarks/gpu.py`` and ``gpu_kernels.py`` with made-up times."""

from __future__ import annotations

import json

FLOPS = 1e14
"""Operations per second of the matrix product in every record."""

ENVIRONMENT = {
    "machine": "one",
    "cpu": "Processor",
    "cores": 2,
    "gpu": {"name": "Card *9*"},
    "python": "3.12.0",
    "chainer_style": "0.1.0",
    "libraries": {"chainer": "7.8.1", "torch": "2.9_x", "nvidia-cudnn-cu13": "9.1"},
    "blas": [],
}

FAMILIES = {"cuda": "own", "chainer-gpu": "chainer"}

TIMES = {"cuda": 0.001, "torch-eager": 0.006, "torch-graph": 0.002, "chainer-gpu": 0.05}
"""Seconds of an iteration."""


def entry(name, seconds, reason=None, precision="tf32", process=True):
    """Return what a record says of a contender: three turns of ten iterations."""
    own = {
        "name": name,
        "title": f"The *{name}*",
        "family": FAMILIES.get(name, "pytorch"),
        "precision": "float32" if name.startswith("chainer") else precision,
        "reason": reason,
    }
    if reason:
        return own
    return {
        **own,
        "iterations": 10,
        "turns": [10 * seconds, 9.0, 5 * seconds],
        "loss_deviation": seconds,
        "gradient_deviation": 2 * seconds,
        "process_bytes": round(seconds * 2**40) if process else None,
        "card_bytes": round(seconds * 2**41),
        "held_bytes": round(seconds * 2**39),
        "something": "new",
    }


def document(network="vgg16", size=128, precision="tf32", process=True, **more):
    """Return a record of a race; times and reasons by contender."""
    times, reasons = {**TIMES, **more.get("times", {})}, more.get("reasons", {})
    names = dict.fromkeys((*times, *reasons))
    seconds = [9.0, 2e9 / FLOPS]
    return {
        "format": 1,
        "experiment": "benchmarks/gpu",
        "ended": "2026-01-02T03:04:05+00:00",
        "cell": {"network": network, "size": size, "precision": precision},
        "settings": {},
        "card": {"driver": "580.1", "power_limit_milliwatts": 700000},
        "contenders": [
            entry(n, times.get(n), reasons.get(n), precision, process) for n in names
        ],
        "ceiling": [
            {"kind": "product", "size": 1000, "work": 2 * 10**9, "seconds": seconds},
            {"kind": "copy", "size": 10**8, "work": 8 * 10**8, "seconds": [9, 0.0008]},
        ],
        "environment": ENVIRONMENT,
    }


KERNELS = {
    "void cutlass__5x_cudnn::Kernel<sm80_fprop_optimized_tf32>(Params)": (9, 0.0004),
    "sm90_xmma_dgrad_implicit_gemm_tf32": (9, 0.0003),
    "nvjet_tst_64x8_64x16": (8, 0.0001),
    "something_else": (1, 0.00005),
}
"""Launches and seconds in an iteration."""


def traces(network="vgg16", size=128, reason=None):
    """Return a record of kernels: of an engine, and of somebody who may fail."""
    kernels = [
        {"name": name, "launches": launches, "seconds": seconds}
        for name, (launches, seconds) in KERNELS.items()
    ]
    own = {"turns": [0.001, 0.001, 0.5], "busy": 0.0008, "kernels": kernels}
    return {
        "format": 1,
        "experiment": "benchmarks/gpu_kernels",
        "ended": "2026-01-02T03:04:05+00:00",
        "cell": {"network": network, "size": size, "precision": "tf32"},
        "settings": {},
        "contenders": [
            {"name": "cuda", "title": "Engine *cuda*", "reason": None, **own},
            {"name": "other", "title": "Other", "reason": reason or "gone"},
        ],
        "environment": ENVIRONMENT,
    }


def write(results, *documents):
    """Write records of a machine and return its folder."""
    machine = results / "one"
    for number, content in enumerate(documents):
        group = content.get("experiment", "benchmarks/gpu").split("/")[1]
        folder = machine / "benchmarks" / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.json").write_text(json.dumps(content))
    return machine
