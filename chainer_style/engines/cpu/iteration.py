"""One iteration as a program: losses, gradient, Adam, clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

import numpy as np

from chainer_style.engines.base import Losses, Problem
from chainer_style.engines.cpu import moving
from chainer_style.engines.cpu.company import company
from chainer_style.engines.cpu.compiler import Compiler
from chainer_style.engines.cpu.losses import TapLosses, Term
from chainer_style.engines.cpu.parameters import Array, Parameters
from chainer_style.engines.cpu.plan import Plan
from chainer_style.engines.cpu.targets import Target, packed
from chainer_style.engines.cpu.team import Team
from chainer_style.engines.static.objective import layout
from chainer_style.engines.steps import epsilon
from chainer_style.networks import INPUT
from chainer_style.protocols import Protocol


class Sketch:
    """The steps of an iteration, before there is any memory.

    Parameters
    ----------
    compiler
        Of the network, for pictures of one size.
    protocol
        Every setting.
    terms
        The losses, by tapped node.
    """

    def __init__(
        self, compiler: Compiler, protocol: Protocol, terms: Mapping[str, Term]
    ) -> None:
        self.compiler, self._protocol = compiler, protocol
        self._shape = compiler.maps[INPUT]
        self.taps = {
            node: TapLosses(compiler, node, term) for node, term in terms.items()
        }
        compiler.forward(
            lambda node: self.taps[node].compare(),
            company(compiler),
            lambda node: self.taps[node].lay_out(),
        )
        compiler.backward(
            lambda node, uses, add: self.taps[node].write(uses, add),
            company(compiler, backward=True),
        )
        self.gradient = compiler.gradient(INPUT)
        compiler.draft.kept.add(self.gradient)
        if protocol.tv_weight:
            self._vary()
        self.until = len(compiler.draft.lines)
        """Number of steps after which losses and gradient are there."""
        self._move()

    def _vary(self) -> None:
        """Draft the total variation."""
        shape, weight = self._shape, self._protocol.tv_weight
        gradient = self.gradient
        moving.vary(self.compiler.draft, shape, shape.height, weight, gradient)

    def _move(self) -> None:
        """Draft Adam and the clip."""
        shape = self._shape
        small = epsilon(self._protocol, shape.height, shape.width)
        moving.move(
            self.compiler.draft,
            shape,
            self.compiler.threads,
            small,
            self.gradient,
            by_pixel=self._protocol.pixelwise_clip,
        )


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
        self.picture = layout(problem.start, np.dtype(np.float32))
        self.moments = np.zeros_like(self.picture), np.zeros_like(self.picture)
        self._rate = np.zeros(1)
        height, width = self.picture.shape[:2]
        network = problem.network
        compiler = Compiler(network, height, width, parameters, team.threads)
        terms = {node: target.term for node, target in targets.items()}
        self._sketch = Sketch(compiler, problem.protocol, terms)
        few = {node for node, tap in self._sketch.taps.items() if tap.is_few}
        self._arrays = {**self._state(problem), **_named(targets, few)}
        addresses = {name: a.ctypes.data for name, a in self._arrays.items()}
        made = parameters.make(problem.weights.arrays)
        self.plan = Plan(compiler.draft, team, {**made, **addresses})
        taps = self._sketch.taps.values()
        self._readers = [tap.read for tap in taps]
        names = [name for tap in taps for name in tap.sums]
        self._sums = [self.plan.sums(name) for name in [*names, moving.VARIATION]]

    def _state(self, problem: Problem) -> dict[str, Array]:
        bounds = [np.ravel(bound) for bound in problem.canvas.bounds]
        first, second = self.moments
        return {
            "picture": self.picture,
            "first moment": first,
            "second moment": second,
            "bounds": np.concatenate(bounds).astype(np.float32),
            "rate": self._rate,
        }

    def evaluate(self, picture: Array) -> tuple[Losses, Array]:
        """Return the losses at a picture, and the gradient, (1, 3, height, width)."""
        before = self.picture.copy()
        self.picture[:] = layout(picture, np.dtype(np.float32))
        self.plan.run(self._sketch.until)
        self.picture[:] = before
        gradient = self.plan.array(self._sketch.gradient, self.picture.shape)
        return self._losses()(), gradient.transpose(2, 0, 1)[None].copy()

    def step(self, rate: float) -> Callable[[], Losses]:
        """Move the picture, and return what tells the losses that it had before.

        Parameters
        ----------
        rate
            How far Adam goes, its corrections included.
        """
        self._rate[0] = rate
        self.plan.run()
        return self._losses()

    def _losses(self) -> Callable[[], Losses]:
        """Return what adds up the sums of the last run, whenever it is asked to.

        It holds copies of them: not the engine, which may have to go before.
        """
        readers, ends = self._readers, np.cumsum([len(own) for own in self._sums])
        copied = np.concatenate(self._sums)

        def losses() -> Losses:
            *sums, variation, _ = np.split(copied, ends)
            pairs = zip(readers, sums[::2], sums[1::2], strict=True)
            content, style = zip(*(read(*both) for read, *both in pairs), strict=True)
            varied = float(variation.sum())
            total = sum(content) + sum(style) + varied
            return Losses(total, content, style, varied)

        return losses


def _named(targets: Mapping[str, Target], few: Set[str]) -> dict[str, Array]:
    """Return the targets by their names in a program; of some, in panels."""
    found = {
        f"style {node}": packed(target.style) if node in few else target.style
        for node, target in targets.items()
    }
    for node, target in targets.items():
        if target.content is not None:
            found[f"content {node}"] = target.content
    return found
