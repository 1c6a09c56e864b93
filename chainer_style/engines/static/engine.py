"""Engine ``numpy``: what is asked for and nothing else, in arrays made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.engines.base import (
    Device,
    Engine,
    Losses,
    Precision,
    Problem,
    State,
    all_finite,
)
from chainer_style.engines.static.buffers import Array
from chainer_style.engines.static.objective import (
    TapLosses,
    gram_matrix,
    layout,
    planes,
    quiet,
    summed,
    total_variation,
)
from chainer_style.engines.static.plan import Plan
from chainer_style.engines.steps import (
    BETA1,
    BETA2,
    clip_by_pixel,
    corrected_rate,
    epsilon,
)


class NumpyEngine(Engine):
    """Style transfer as a static plan, on the CPU, by NumPy alone.

    Its losses and gradient are those of the reference, but what no picture depends on
    (the gradients of the filters, content terms of weight zero) is not computed.

    Parameters
    ----------
    problem
        What to compute.
    device
        The CPU.
    precision
        ``float32`` or ``float64``.

    Raises
    ------
    UserError
        If the network has a node that it does not know.
    """

    name = "numpy"

    def __init__(
        self, problem: Problem, device: Device, precision: Precision = "float32"
    ) -> None:
        self.problem = problem
        self.dtype = np.dtype(precision)
        self._plan = self._plan_for(problem.content)
        with quiet():
            self._targets = self._targeted()
        self._picture = layout(problem.start, self.dtype)
        self._moments = np.zeros_like(self._picture), np.zeros_like(self._picture)
        self._room = np.empty_like(self._picture)
        low, high = problem.canvas.bounds
        self._bounds = tuple(layout(self._wide(b), self.dtype) for b in (low, high))
        self._done = self._scheduled = 0

    def _wide(self, bound: npt.NDArray[Any]) -> Array:
        """Return a bound in the shape of a picture."""
        return np.broadcast_to(bound, self.problem.start.shape)

    def _plan_for(self, picture: Array) -> Plan:
        height, width = picture.shape[2:]
        network, arrays = self.problem.network, self.problem.weights.arrays
        return Plan(network, arrays, height, width, self.dtype)

    def _targeted(self) -> dict[str, TapLosses]:
        """Compute the content features and the style's Gram matrices."""
        problem, taps = self.problem, self.problem.network.taps
        same = problem.style.shape == problem.content.shape
        plan = self._plan if same else self._plan_for(problem.style)
        plan.forward(layout(problem.style, self.dtype))
        style = {tap.node: gram_matrix(plan.values[tap.node]) for tap in taps}
        del plan
        self._plan.forward(layout(problem.content, self.dtype))
        return {
            tap.node: TapLosses(
                tap,
                self._plan.values[tap.node].copy(),
                style[tap.node],
                problem.protocol,
                len(taps),
            )
            for tap in taps
        }

    def evaluate(self, image: npt.NDArray[Any]) -> tuple[Losses, npt.NDArray[Any]]:
        """Return the losses at a picture, and the gradient (see `Engine`)."""
        losses, gradient = self._evaluate(layout(image, self.dtype))
        return losses, gradient.transpose(2, 0, 1)[None].copy()

    def _evaluate(self, picture: Array) -> tuple[Losses, Array]:
        values, weight = self._plan.values, self.problem.protocol.tv_weight
        tapped = {
            node: partial(losses.write, values[node])
            for node, losses in self._targets.items()
        }
        with quiet():
            self._plan.forward(picture)
            gradient = self._plan.backward(tapped)
            variation = 0.0
            if weight:
                variation = total_variation(picture, weight, gradient, self._room)
            return summed(self._targets, variation), gradient

    def step(self) -> Callable[[], Losses]:
        """Do one iteration (see `Engine`)."""
        losses, gradient = self._evaluate(self._picture)
        with quiet():
            self._adam(gradient)
            self._clip()
        return lambda: losses

    def _adam(self, gradient: Array) -> None:
        """Move the picture; the gradient is used up."""
        (first, second), room = self._moments, self._room
        self._done += 1
        rate = corrected_rate(self.problem.protocol, self._scheduled, self._done)
        self._scheduled += 1
        first *= BETA1
        first += np.multiply(gradient, 1 - BETA1, out=room)
        second *= BETA2
        np.square(gradient, out=room)
        room *= 1 - BETA2
        second += room
        np.sqrt(second, out=gradient)
        gradient += epsilon(self.problem.protocol, *gradient.shape[:2])
        np.divide(first, gradient, out=gradient)
        gradient *= rate
        self._picture -= gradient

    def _clip(self) -> None:
        low, high = self._bounds
        if self.problem.protocol.pixelwise_clip:
            # Its first value decides, so the picture goes as the program had it.
            planes = self._picture.transpose(2, 0, 1)[None]
            clipped = clip_by_pixel(planes, low, high)
            np.copyto(planes, clipped, casting="unsafe")
        else:
            np.clip(self._picture, low, high, out=self._picture)

    @property
    def image(self) -> Array:
        """A copy of the picture as it stands (see `Engine`)."""
        return planes(self._picture)

    @property
    def state(self) -> State:
        """How far it is, in copies (see `Engine`)."""
        first, second = map(planes, self._moments)
        return State(self.image, first, second, self._done, self._scheduled)

    def restore(self, state: State) -> None:
        """Go on from a state (see `Engine`)."""
        kept = self._picture, *self._moments
        wanted = state.image, state.first, state.second
        for array, picture in zip(kept, wanted, strict=True):
            array[:] = picture[0].transpose(1, 2, 0)
        self._done, self._scheduled = state.done, state.scheduled

    @property
    def is_finite(self) -> bool:
        """Whether every pixel is a number."""
        return all_finite(self._picture)

    def synchronize(self) -> None:
        """Return at once: NumPy has done what it was asked for."""
