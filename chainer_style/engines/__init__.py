"""Engines: they turn a picture into losses and a gradient, each at its own speed.

Importing this package loads none of them; what they have in common is in
`chainer_style.engines.base`.
"""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import threadpoolctl

from chainer_style.errors import UserError

if TYPE_CHECKING:
    from chainer_style.engines.base import Device, Engine, Problem
    from chainer_style.protocols import Protocol

__all__ = ["ENGINES", "PRECISIONS", "Precision", "Watch", "check", "create"]

ENGINES = ("chainer", "numpy", "cpu", "cuda")
"""Names of the engines, the reference first."""

Precision = Literal["float32", "float64", "tf32", "bf16", "fp16"]
"""Of arithmetic; those of fewer bits are that of some products only, whose sums are
float32."""

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
"""All of them."""

KNOWN: dict[str, tuple[Precision, ...]] = {
    "chainer": ("float32", "float64"),
    "numpy": ("float32", "float64"),
    "cpu": ("float32", "bf16"),
    "cuda": ("tf32", "float32", "bf16", "fp16"),
}
"""What each engine computes in, its default first: TF32 on cards that have it."""

TRIED = ("x86_64", "AMD64")
"""Architectures on which the kernels of ``cpu`` were run."""

Watch = Callable[[Sequence[str]], Iterable[str]]
"""Passes names on as they are dealt with, and may show how far it is."""


def create(
    name: str,
    problem: Problem,
    device: Device,
    precision: Precision | None = None,
    watch: Watch = iter,
) -> Engine:
    """Return an engine for a problem.

    Parameters
    ----------
    name
        One of `ENGINES`, or ``auto`` for the fastest that computes what the protocol
        asks for on that device.
    problem
        What to compute.
    device
        Where to compute it.
    precision
        Of all arithmetic; None: the engine's own.
    watch
        Told the kernels that are compiled, which is done once per machine.

    Raises
    ------
    UserError
        If there is no such engine, or it cannot run on the device. Another
        engine is never taken in its place.
    """
    check(name, device)
    if name == "auto":
        name = fastest(problem.protocol, device, precision)
    check_precision(name, precision)
    if name == "cuda":
        from chainer_style.engines.cuda.device import CudaDevice
        from chainer_style.engines.cuda.engine import CudaEngine

        return CudaEngine(problem, CudaDevice(device, precision, watch))
    precision = precision or KNOWN[name][0]
    if name == "cpu":
        from chainer_style.engines.cpu import compiled
        from chainer_style.engines.cpu.engine import CpuEngine

        compiled.load(watch)
        return CpuEngine(problem, device, precision)
    if device.threads:
        # The other engines leave their threads to BLAS.
        threadpoolctl.threadpool_limits(device.threads, "blas")
    if name == "numpy":
        from chainer_style.engines.static.engine import NumpyEngine

        return NumpyEngine(problem, device, precision)
    from chainer_style.engines.define_by_run import ChainerEngine

    return ChainerEngine(problem, device, precision)


def fastest(protocol: Protocol, device: Device, precision: Precision | None) -> str:
    """Return the fastest engine that computes what a protocol asks for."""
    # What a protocol wastes on purpose is the reference's to do.
    if protocol.weight_gradients:
        return "chainer"
    if device.is_gpu:
        known = device.cudnn and precision in (None, *KNOWN["cuda"])
        return "cuda" if known and _has_cuda(device) else "chainer"
    compiled = importlib.util.find_spec("numba") and platform.machine() in TRIED
    return "cpu" if compiled and precision != "float64" else "numpy"


def _has_cuda(device: Device) -> bool:
    """Whether engine ``cuda`` has all that it needs."""
    from chainer_style.engines.cuda import device as of_cuda

    try:
        of_cuda.check(device)
    except UserError:
        return False
    return True


def check(name: str, device: Device) -> None:
    """Refuse an engine or a device that is not there, before any work is done.

    Raises
    ------
    UserError
        Naming what is missing.
    """
    if name not in ("auto", *ENGINES):
        raise UserError(
            f"unknown engine {name!r}; choose one of: {', '.join(('auto', *ENGINES))}"
        )
    if device.threads is not None and device.threads < 1:
        raise UserError(f"{device.threads} threads; choose 1 or more")
    if name == "cuda":
        from chainer_style.engines.cuda import device as of_cuda

        of_cuda.check(device)
        return
    if name in ("numpy", "cpu"):
        if device.is_gpu:
            raise UserError(
                f"the engine {name!r} computes on the CPU only; leave --gpu out, or "
                "take --engine chainer or cuda"
            )
        if name == "cpu" and not importlib.util.find_spec("numba"):
            raise UserError(
                "the engine 'cpu' needs numba, which is not installed; run: pip "
                "install numba, or take --engine numpy"
            )
        return
    from chainer_style.engines.define_by_run import chainer_device

    chainer_device(device)


def check_precision(name: str, precision: Precision | None) -> None:
    """Refuse a precision that an engine does not compute in.

    Raises
    ------
    UserError
        Naming the engines that do.
    """
    if precision is None or precision in KNOWN[name]:
        return
    others = " or ".join(
        other for other, known in reversed(KNOWN.items()) if precision in known
    )
    raise UserError(
        f"the engine {name!r} does not compute in {precision}; take --precision "
        f"{' or '.join(KNOWN[name])}, or --engine {others}"
    )
