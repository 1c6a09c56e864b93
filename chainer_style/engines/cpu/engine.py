"""Engine ``cpu``: a program of compiled kernels, run by all cores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from chainer_style import engines, memory
from chainer_style.engines.base import (
    Device,
    Engine,
    Losses,
    Precision,
    Problem,
    State,
    all_finite,
)
from chainer_style.engines.cpu import compiled
from chainer_style.engines.cpu.iteration import Iteration
from chainer_style.engines.cpu.kernels import target
from chainer_style.engines.cpu.parameters import Parameters
from chainer_style.engines.cpu.plan import Plan
from chainer_style.engines.cpu.targets import targets
from chainer_style.engines.cpu.team import team
from chainer_style.engines.static.objective import planes
from chainer_style.engines.steps import corrected_rate
from chainer_style.errors import UserError

Array = npt.NDArray[Any]


def check_precision(precision: Precision) -> None:
    """Refuse a precision that this engine, or this CPU, does not compute in.

    Raises
    ------
    UserError
        Naming it.
    """
    engines.check_precision("cpu", precision)
    if precision == "bf16" and not target.has_bfloat16():
        raise UserError(
            "this CPU does not multiply bfloat16 (AVX512_BF16); leave --precision "
            "bf16 out"
        )


class CpuEngine(Engine):
    """Style transfer as a program of compiled kernels, on the CPU.

    Its losses and gradient are those of the reference, but what no picture depends on
    (the gradients of the filters, content terms of weight zero) is not computed.

    Parameters
    ----------
    problem
        What to compute.
    device
        The CPU, and how many threads.
    precision
        ``float32``, or ``bf16``: the products of Winograd's tiles from bfloat16, their
        sums and all else in float32.

    Raises
    ------
    UserError
        If the network has a node that it does not know, or it cannot compute in
        that precision.
    """

    name = "cpu"

    def __init__(
        self, problem: Problem, device: Device, precision: Precision = "float32"
    ) -> None:
        check_precision(precision)
        half = precision == "bf16"
        self.problem = problem
        compiled.load()
        threads = team(device.cores)
        height, width = problem.content.shape[2:]
        parameters = Parameters(problem.network, height, width, half)
        found = targets(problem, parameters, threads)
        self._iteration = Iteration(problem, parameters, found, threads)
        memory.trim()  # of what was needed to get here
        self._done = self._scheduled = 0

    def evaluate(self, image: npt.NDArray[Any]) -> tuple[Losses, npt.NDArray[Any]]:
        """Return the losses at a picture, and the gradient (see `Engine`)."""
        return self._iteration.evaluate(image)

    def step(self) -> Callable[[], Losses]:
        """Do one iteration (see `Engine`)."""
        self._done += 1
        rate = corrected_rate(self.problem.protocol, self._scheduled, self._done)
        self._scheduled += 1
        return self._iteration.step(rate)

    @property
    def image(self) -> Array:
        """A copy of the picture as it stands (see `Engine`)."""
        return planes(self._iteration.picture)

    @property
    def state(self) -> State:
        """How far it is, in copies (see `Engine`)."""
        first, second = map(planes, self._iteration.moments)
        return State(self.image, first, second, self._done, self._scheduled)

    def restore(self, state: State) -> None:
        """Go on from a state (see `Engine`)."""
        kept = self._iteration.picture, *self._iteration.moments
        wanted = state.image, state.first, state.second
        for array, picture in zip(kept, wanted, strict=True):
            array[:] = picture[0].transpose(1, 2, 0)
        self._done, self._scheduled = state.done, state.scheduled

    @property
    def is_finite(self) -> bool:
        """Whether every pixel is a number."""
        return all_finite(self._iteration.picture)

    @property
    def plan(self) -> Plan:
        """The program of an iteration, with its memory."""
        return self._iteration.plan

    def synchronize(self) -> None:
        """Return at once: all threads are done when a step returns."""
