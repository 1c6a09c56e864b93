"""Engines: they turn a picture into losses and a gradient, each at its own speed.

Importing this package loads none of them; what they have in common is in
`chainer_style.engines.base`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainer_style.errors import UserError

if TYPE_CHECKING:
    from chainer_style.engines.base import Device, Engine, Precision, Problem

__all__ = ["ENGINES", "check", "create"]

ENGINES = ("chainer", "numpy")
"""Names of the engines, the reference first."""


def create(
    name: str, problem: Problem, device: Device, precision: Precision = "float32"
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
        Of all arithmetic.

    Raises
    ------
    UserError
        If there is no such engine, or it cannot run on the device. Another
        engine is never taken in its place.
    """
    check(name, device)
    if name == "auto":
        # What a protocol wastes on purpose is the reference's to do.
        wasteful = problem.protocol.weight_gradients
        name = "chainer" if device.is_gpu or wasteful else "numpy"
    if name == "numpy":
        from chainer_style.engines.static.engine import NumpyEngine

        return NumpyEngine(problem, device, precision)
    from chainer_style.engines.define_by_run import ChainerEngine

    return ChainerEngine(problem, device, precision)


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
    if name == "numpy":
        from chainer_style.engines.static import engine

        engine.check(device)
        return
    from chainer_style.engines.define_by_run import chainer_device

    chainer_device(device)
