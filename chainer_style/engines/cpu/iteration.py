"""One iteration as a program: losses, gradient, Adam, clip."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainer_style.engines.base import Losses, Problem
from chainer_style.engines.cpu import division
from chainer_style.engines.cpu.compiler import Compiler
from chainer_style.engines.cpu.losses import DOUBLE, TapLosses, Target
from chainer_style.engines.cpu.parameters import Array, Parameters
from chainer_style.engines.cpu.plan import Plan
from chainer_style.engines.cpu.team import Team
from chainer_style.engines.static.objective import layout
from chainer_style.engines.steps import BETA1, BETA2, EPSILON
from chainer_style.networks import INPUT


class Iteration:
    """The picture, Adam's moments, and the program that moves them.

    Parameters
    ----------
    problem
        What to compute.
    parameters
        Of the network.
    targets
        By tapped node.
    team
        The threads.
    """

    def __init__(
        self,
        problem: Problem,
        parameters: Parameters,
        targets: Mapping[str, Target],
        team: Team,
    ) -> None:
        self._protocol, self._targets = problem.protocol, targets
        self.picture = layout(problem.start, np.dtype(np.float32))
        self._moments = np.zeros_like(self.picture), np.zeros_like(self.picture)
        bounds = [np.ravel(bound) for bound in problem.canvas.bounds]
        self._bounds = np.concatenate(bounds).astype(np.float32)
        self._rate = np.zeros(1)
        height, width = self.picture.shape[:2]
        self._compiler = Compiler(
            problem.network, height, width, parameters, team.threads
        )
        self._shape = self._compiler.maps[INPUT]
        self._rows = division.rows(self._shape, team.threads)
        self._pin()
        self._draft_gradient()
        self._until = len(self._compiler.draft.lines)
        self._draft_move()
        self._compiler.draft.fixed |= parameters.addresses
        self.plan = Plan(self._compiler.draft, team)

    def _pin(self) -> None:
        """Name what the program works on."""
        arrays = {
            "picture": self.picture,
            "first moment": self._moments[0],
            "second moment": self._moments[1],
            "bounds": self._bounds,
            "rate": self._rate,
        }
        fixed = self._compiler.draft.fixed
        fixed |= {name: array.ctypes.data for name, array in arrays.items()}

    def _draft_gradient(self) -> None:
        compiler = self._compiler
        taps = {
            node: TapLosses(compiler, node, target)
            for node, target in self._targets.items()
        }
        compiler.forward(lambda node: taps[node].compare())
        compiler.backward(lambda node, uses, add: taps[node].write(uses, add))
        compiler.draft.kept.add(compiler.gradient(INPUT))
        if self._protocol.tv_weight:
            self._draft_variation()

    def _draft_variation(self) -> None:
        shape, draft, weight = self._shape, self._compiler.draft, self._variation_scales
        units = -(-shape.height // self._rows)
        partial = draft.buffer("variation", DOUBLE * units, kept=True)
        draft.add(
            "total variation",
            "variation",
            units,
            {
                "x": "picture",
                "y": self._compiler.gradient(INPUT),
                "partial": partial,
            },
            positions=self._rows,
            scale=weight[0],
            second_scale=weight[1],
            **shape.read(),
        )

    @property
    def _variation_scales(self) -> tuple[float, float]:
        """Twice the weight of a squared difference, downwards and across."""
        height, width, channels = self.picture.shape
        weight = 2 * self._protocol.tv_weight
        down, across = (height - 1) * width, height * (width - 1)
        return (
            weight / (down * channels) if down else 0.0,
            weight / (across * channels) if across else 0.0,
        )

    def _draft_move(self) -> None:
        draft, shape = self._compiler.draft, self._shape
        block = self._rows * shape.width
        uses = {
            "x": "picture",
            "y": self._compiler.gradient(INPUT),
            "source": "first moment",
            "result": "second moment",
            "weights": "rate",
            "bias": "bounds",
        }
        apart = self._protocol.pixelwise_clip
        draft.add(
            "Adam and clip",
            "adam",
            -(-shape.positions // block),
            uses,
            positions=block,
            scale=BETA1,
            second_scale=BETA2,
            third_scale=EPSILON,
            mode=apart,
            **shape.read(),
        )
        if apart:
            uses = {"x": "picture", "bias": "bounds"}
            draft.add("Adam and clip", "clip", 1, uses, **shape.read())

    def evaluate(self, picture: Array) -> tuple[Losses, Array]:
        """Return the losses at a picture, and the gradient, (1, 3, height, width)."""
        before = self.picture.copy()
        self.picture[:] = layout(picture, np.dtype(np.float32))
        self.plan.run(self._until)
        self.picture[:] = before
        gradient = self.plan.array(self._compiler.gradient(INPUT), self.picture.shape)
        return self._losses(), gradient.transpose(2, 0, 1)[None].copy()

    def step(self, rate: float) -> Losses:
        """Move the picture, and return the losses that it had before.

        Parameters
        ----------
        rate
            How far Adam goes, its corrections included.
        """
        self._rate[0] = rate
        self.plan.run()
        return self._losses()

    def _losses(self) -> Losses:
        content, style = [], []
        for node, target in self._targets.items():
            shape = self._compiler.maps[node]
            total = self._sum(f"style loss {node}")
            style.append(target.style_weight * total / shape.count**2)
            if target.content is None:
                content.append(0.0)
            else:
                total = self._sum(f"content loss {node}")
                content.append(target.content_weight * total / shape.true_size)
        variation = self._sum("variation") if self._protocol.tv_weight else 0.0
        total = sum(content) + sum(style) + variation
        return Losses(total, tuple(content), tuple(style), variation)

    def _sum(self, name: str) -> float:
        return float(self.plan.doubles(name).sum())
