"""PyTorch's loop as a CUDA graph: an iteration is one call of the driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pytorch_loop import MOMENTS, PyTorchLoop

from chainer_style.engines.base import Losses, Problem, State
from chainer_style.engines.steps import EPSILON, learning_rate

WARM = 3
"""Iterations before anything is captured: cuDNN chooses its algorithms in them."""


class CapturedLoop(PyTorchLoop):
    """`PyTorchLoop` on a CUDA device, captured once and then replayed.

    Losses lie where the graph wrote them: a reader tells those of the last step.

    Parameters
    ----------
    problem, more
        See `PyTorchLoop`; nothing is compiled.
    """

    name = "pytorch-graph"

    def __init__(self, problem: Problem, *, device: str = "cuda", **more: Any) -> None:
        # The graph reads it, and so it has to lie on the device.
        self._rate = torch.tensor(problem.protocol.learning_rate, device=device)
        self._told = problem.protocol.learning_rate
        super().__init__(problem, device=device, **more)
        self._capture()

    def _adam(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            [self._picture],
            lr=self._rate,
            eps=EPSILON * self._scale,
            fused=True,
            capturable=True,
        )

    def _capture(self) -> None:
        """Capture an iteration, and go back to where the picture starts."""
        aside, now = torch.cuda.Stream(), torch.cuda.current_stream()
        aside.wait_stream(now)
        with torch.cuda.stream(aside):
            for _ in range(WARM):
                self._iterate()
        now.wait_stream(aside)
        # The gradient is to lie in the graph's own memory.
        self._optimizer.zero_grad(set_to_none=True)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._terms_there = self._iterate()
        zeros = np.zeros_like(self.problem.start)
        self.restore(State(self.problem.start, zeros, zeros, 0, 0))

    def step(self) -> Callable[[], Losses]:
        """Do one iteration (see `Engine`)."""
        rate = learning_rate(self.problem.protocol, self._iteration)
        if rate != self._told:
            self._rate.fill_(rate)
            self._told = rate
        self._graph.replay()
        self._iteration += 1
        return lambda: self._read(*self._terms_there)

    def restore(self, state: State) -> None:
        """Go on from a state (see `Engine`); all stays where the graph finds it."""
        kept = self._optimizer.state[self._picture]
        with torch.no_grad():
            for power, (name, moment) in enumerate(
                zip(MOMENTS, (state.first, state.second), strict=True), 1
            ):
                kept[name].copy_(self._send(moment) * self._scale**power)
            kept["step"].fill_(float(state.done))
            self._picture.copy_(self._send(state.image))
        self._iteration = state.scheduled
