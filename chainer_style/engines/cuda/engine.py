"""Engine ``cuda``: one CUDA graph an iteration, and nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.engines.base import (
    Engine,
    Losses,
    Problem,
    State,
    all_finite,
)
from chainer_style.engines.cuda.machine import Machine, Run
from chainer_style.engines.cuda.plan import Plan
from chainer_style.engines.cuda.windows import Windows
from chainer_style.engines.steps import corrected_rate, epsilon
from chainer_style.errors import UserError

Array = npt.NDArray[Any]

LARGEST, COARSER, MARGIN = 2.0**32, 2.0**4, 2.0**4
"""What small gradients are multiplied with at most; how much less is tried next where
that is too much; and what is left for later iterations."""


class CudaEngine(Engine):
    """Style transfer as a static plan on a GPU.

    Its losses and gradient are those of the reference, but what no picture depends on
    (the gradients of the filters, content terms of weight zero) is not computed.
    `step` returns as soon as an iteration was asked for; some dozens may be under way.

    Parameters
    ----------
    problem
        What to compute.
    machine
        Where, and in which precision.

    Raises
    ------
    UserError
        If the network has a node that it does not know, or the device lacks memory.
    """

    name = "cuda"
    runs_ahead = True

    def __init__(self, problem: Problem, machine: Machine) -> None:
        self.problem = problem
        self._machine = machine
        self._plan = plan = Plan(problem, machine)
        self._trial: Run | None = None
        terms = len(plan.objective.terms)
        self._windows = Windows(machine, plan.addresses, terms)
        self._done = self._scheduled = 0
        if machine.format.scaled:
            self._scale()
        height, width = problem.start.shape[2:]
        self._run = plan.iteration(epsilon(problem.protocol, height, width))
        # That was tried once, to have all of it loaded, and moved the picture.
        still = np.zeros_like(problem.start)
        self.restore(State(problem.start, still, still, 0, 0))

    def _scale(self) -> None:
        """Find what gradients can be multiplied with, and none becomes infinite."""
        objective, scale = self._plan.objective, LARGEST
        while True:
            objective.scale, self._trial = scale, None
            _, gradient = self.evaluate(self.problem.start)
            if all_finite(gradient):
                break
            if scale < 1:
                raise UserError(
                    "the gradient is too large for fp16; choose another --precision, "
                    "a smaller --lam, or other weights"
                )
            scale /= COARSER
        objective.scale, self._trial = scale / MARGIN, None

    def evaluate(self, image: npt.NDArray[Any]) -> tuple[Losses, npt.NDArray[Any]]:
        """Return the losses at a picture, and the gradient (see `Engine`)."""
        plan, machine = self._plan, self._machine
        if self._trial is None:
            self._trial = plan.trial()
        self._windows.close()
        self._windows.rewind()
        machine.write(plan.addresses["trial"], np.array(image, np.float32))
        self._trial()
        terms = len(plan.objective.terms)
        row = machine.fetch(plan.addresses["losses"], (terms,), np.float32)
        gradient = machine.fetch(plan.addresses["slope"], image.shape, np.float32)
        return plan.objective.losses(row.tolist()), gradient

    def step(self) -> Callable[[], Losses]:
        """Do one iteration (see `Engine`)."""
        window, place = self._windows.next(self._rates)
        self._run()
        self._done += 1
        self._scheduled += 1
        self._windows.done()
        losses = self._plan.objective.losses
        return lambda: losses(window.row(place))

    def _rates(self, count: int) -> Array:
        """Return how far Adam goes in the next iterations."""
        protocol = self.problem.protocol
        rates = [
            corrected_rate(protocol, self._scheduled + i, self._done + i + 1)
            for i in range(count)
        ]
        return np.array(rates, np.float32)

    @property
    def image(self) -> Array:
        """A copy of the picture as it stands (see `Engine`)."""
        return self._picture("picture")

    def _picture(self, name: str) -> Array:
        shape, address = self.problem.start.shape, self._plan.addresses[name]
        return self._machine.fetch(address, shape, np.float32)

    @property
    def state(self) -> State:
        """How far it is, in copies (see `Engine`)."""
        first, second = map(self._picture, ("first", "second"))
        return State(self.image, first, second, self._done, self._scheduled)

    def restore(self, state: State) -> None:
        """Go on from a state (see `Engine`)."""
        self._windows.close()
        wanted = {
            "picture": state.image,
            "first": state.first,
            "second": state.second,
        }
        for name, array in wanted.items():
            single = np.asarray(array, np.float32)
            self._machine.write(self._plan.addresses[name], single)
        self._done, self._scheduled = state.done, state.scheduled

    @property
    def is_finite(self) -> bool:
        """Whether every pixel is a number."""
        return all_finite(self.image)

    def synchronize(self) -> None:
        """Wait until everything asked for so far is done."""
        self._machine.synchronize()
