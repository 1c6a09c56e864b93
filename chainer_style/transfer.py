"""The optimisation loop: a generator of iterates.

Progress bars, snapshots and records are observers of the loop (package
`chainer_style.observers`); it knows nothing of them.
"""

from __future__ import annotations

import functools
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from chainer_style import checkpoint, engines, images, networks, protocols
from chainer_style.engines.base import (
    Device,
    Engine,
    Losses,
    Precision,
    Problem,
    State,
    all_finite,
)
from chainer_style.errors import UserError
from chainer_style.images import Array, Source
from chainer_style.networks import Network
from chainer_style.networks.nodes import Node
from chainer_style.posing import Setup
from chainer_style.protocols import Protocol
from chainer_style.scales import enlarged
from chainer_style.tiling import create as tiling
from chainer_style.tiling.create import Limits
from chainer_style.weights import Weights


@dataclass(frozen=True)
class Iterate:
    """The state after one iteration.

    Valid until the next one is asked for; take what you need before.

    Attributes
    ----------
    index
        Number of the iteration, from 0.
    seconds
        How long this iteration took, without what observers did meanwhile.
    """

    index: int
    seconds: float
    _transfer: Transfer
    read_losses: Callable[[], Losses]
    """Gives `losses`, and may be kept: it needs neither picture nor engine."""

    @property
    def losses(self) -> Losses:
        """The losses before this iteration's update."""
        return self.read_losses()

    @property
    def array(self) -> Array:
        """The picture in network units, (1, 3, height, width) float32."""
        return self._transfer.image

    @property
    def picture(self) -> Image.Image:
        """The picture, without padding."""
        return self._transfer.picture

    @property
    def label(self) -> str:
        """What to say of the weights beside the picture."""
        return self._transfer.problem.weights.label


class Transfer:
    """A transfer that is set up and waits to run.

    Parameters
    ----------
    problem
        What is computed: of the scale that it is at.
    engine
        What computes it.
    seed
        Of the noise that it starts from.
    setup, make
        What poses the further scales, and makes their engines, where there are some.

    Attributes
    ----------
    scale
        Number of the scale that it is at, from 0.
    done
        Number of iterations so far, at all scales together.
    record
        What was noted of the iterations before it was gone on with.
    """

    def __init__(
        self,
        problem: Problem,
        engine: Engine,
        seed: int,
        setup: Setup | None = None,
        make: Callable[[Problem, State | None], Engine] | None = None,
    ) -> None:
        self.seed = seed
        self.scale = self.done = 0
        self.record: Sequence[Mapping[str, Any]] = ()
        self._engine: Engine | None = engine
        self._know(problem)
        self.problem = engine.problem
        self._between: State | None = None
        """What the next scale begins with, until its engine has it."""
        self._setup, self._make = setup, make

    def _know(self, problem: Problem) -> None:
        """Note what is computed, before an engine lets its pictures go."""
        self._pictures = checkpoint.of_pictures(problem.content, problem.style)
        self.problem = problem

    @property
    def engine(self) -> Engine:
        """What computes the scale that it is at."""
        assert self._engine is not None
        return self._engine

    @property
    def protocol(self) -> Protocol:
        """Every setting, as it was asked for."""
        return self._setup.protocol if self._setup else self.problem.protocol

    @property
    def scales(self) -> tuple[Protocol, ...]:
        """The settings of every scale, from coarse to fine."""
        return self._setup.scales if self._setup else (self.problem.protocol,)

    @property
    def iterations(self) -> int:
        """How many there are at all scales together."""
        return sum(scale.iterations for scale in self.scales)

    @property
    def widths(self) -> tuple[int, ...]:
        """The longer side of the picture, in pixels, at each of them."""
        each = [(scale.width,) * scale.iterations for scale in self.scales]
        return tuple(itertools.chain.from_iterable(each))

    @property
    def image(self) -> Array:
        """A copy of the picture as it stands, (1, 3, height, width) float32."""
        if self._between is not None:
            return self._between.image.copy()
        return self.engine.image

    @property
    def is_finite(self) -> bool:
        """Whether every pixel is a number."""
        if self._between is not None:
            return all_finite(self._between.image)
        return self.engine.is_finite

    @property
    def picture(self) -> Image.Image:
        """The picture as it stands, without padding."""
        return images.to_image(self.image, self.problem.canvas)

    def as_checkpoint(
        self, record: Sequence[Mapping[str, Any]] = ()
    ) -> checkpoint.Checkpoint:
        """Return what to go on from later, in copies.

        Parameters
        ----------
        record
            What to note of the iterations so far, of plain values.
        """
        problem = self.problem
        identity = {
            **checkpoint.of_settings(self.protocol, self.scales, self.seed),
            **self._pictures,
            **checkpoint.of_weights(problem.weights),
        }
        state = self._between or self.engine.state
        return checkpoint.Checkpoint(identity, self.scale, self.done, state, record)

    def go_on(self, found: checkpoint.Checkpoint) -> None:
        """Go on from a checkpoint of the scale that it is at."""
        self.scale, self.done, self.record = found.scale, found.done, found.record
        self.engine.restore(found.state)

    def run(
        self, iterations: int | None = None, *, ahead: bool = False
    ) -> Iterator[Iterate]:
        """Optimise, and yield an `Iterate` after every step.

        Iterations are counted through all scales. The last one goes on for as long as
        it is asked to.

        Parameters
        ----------
        iterations
            How many; by default those that are left of the protocol's.
        ahead
            Do not wait for each step of an engine that runs ahead: `Iterate.seconds`
            then tells how long it took to ask for it.
        """
        until = self.done + iterations if iterations else self.iterations
        while self.done < until:
            begun = self.scales[: self.scale + 1]
            due = sum(scale.iterations for scale in begun)
            if self.done >= due and len(begun) < len(self.scales):
                self._enlarge()
            begin = time.perf_counter()
            read_losses = self.engine.step()
            if not (ahead and self.engine.runs_ahead):
                self.engine.synchronize()
            seconds = time.perf_counter() - begin
            index, self.done = self.done, self.done + 1
            yield Iterate(index, seconds, self, functools.cache(read_losses))

    def _enlarge(self) -> None:
        """Go on at the next scale."""
        assert self._setup is not None
        assert self._make is not None
        posed = self._setup.posed(self.scale + 1)
        self._between = state = enlarged(self.engine.shared_state, posed.canvas)
        problem = posed.problem(self.problem.weights, state.image)
        self._know(problem)
        self.scale += 1
        # Before the next one takes its memory. Nothing else knows this one: an iterate
        # knows the transfer alone.
        self._engine = None
        self._engine = self._make(problem, state)
        self.problem = self._engine.problem
        del posed, problem
        self._engine.restore(state)
        self._between = None


def stylize(
    content: Source, style: Source, *, protocol: str | Protocol = "modern", **more: Any
) -> Iterator[Iterate]:
    """Paint one picture in the style of another.

    Parameters
    ----------
    content, style
        Files or Pillow images.
    protocol
        ``2016``, ``modern``, or a `Protocol` of your own.
    **more
        Anything else that `prepare` takes, and any field of the protocol.

    Yields
    ------
    Iterate
        After every iteration.

    Examples
    --------
    >>> for iterate in stylize("samples/lighthouse.jpg", "samples/swirls.jpg",
    ...                        width=96, iterations=2):
    ...     print(iterate.index, iterate.picture.size)
    0 (96, 72)
    1 (96, 72)
    """
    return prepare(content, style, protocol=protocol, **more).run()


def prepare(
    content: Source,
    style: Source,
    *,
    protocol: str | Protocol = "modern",
    weights: str | Weights | None = None,
    engine: str = "auto",
    device: Device = Device(),  # noqa: B008 - frozen
    precision: Precision | None = None,
    seed: int = 0,
    watch: Callable[[Sequence[Node]], Iterable[Node]] = iter,
    compiling: engines.Watch = iter,
    resume: str | os.PathLike[str] | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    **options: Any,
) -> Transfer:
    """Set up a transfer.

    Parameters
    ----------
    content, style
        Files or Pillow images.
    protocol
        ``2016``, ``modern``, or a `Protocol`.
    weights
        What `chainer_style.weights.load` takes, or `Weights`; by default the
        protocol's.
    engine, device, precision
        See `chainer_style.engines.create`.
    seed
        Of the noise to start from.
    watch
        Passes the network's nodes on while weights are learned, and may show how
        far it is.
    compiling
        The same for the kernels of an engine that compiles some, once per machine.
    resume
        File of a `chainer_style.checkpoint` to go on from: of a run that was set up in
        the same way. Engine, device and precision may be others.
    limits
        Of memory, and of tiles; see `chainer_style.tiling.create.create`.
    **options
        Fields of the protocol to replace, such as ``width=512``.

    Raises
    ------
    UserError
        If anything given cannot be used.
    """
    engines.check(engine, device)

    def make(problem: Problem, state: State | None = None) -> Engine:
        # It is there until the engine goes on from it; its picture is the problem's.
        held = state.first.nbytes + state.second.nbytes if state else 0
        last = setup.scales[-1]
        later = None if problem.protocol == last else setup.sizes(last)
        return tiling.create(
            engine, problem, device, precision, compiling, limits, held, later
        )

    settings = _settings(protocol, weights, options)
    taken = engine
    if engine == "auto":
        taken = engines.fastest(settings, device, precision)
    engines.check_precision(taken, precision)
    limits.check(settings, taken)
    setup = Setup(content, style, settings, network_for(settings))
    if resume is not None:
        return _resumed(Path(resume), setup, weights, seed, watch, make)
    first = setup.posed(0)
    start = first.start(seed)
    found = setup.weights(weights, 0, first, watch)
    problem = first.problem(found, start)
    return Transfer(problem, make(problem), seed, setup, make)


def _resumed(
    path: Path,
    setup: Setup,
    given: str | Weights | None,
    seed: int,
    watch: Callable[[Sequence[Node]], Iterable[Node]],
    make: Callable[[Problem, State | None], Engine],
) -> Transfer:
    """Set up what a checkpoint was left of."""
    found = checkpoint.load(path)
    found.check(path, checkpoint.of_settings(setup.protocol, setup.scales, seed))
    if found.done >= sum(scale.iterations for scale in setup.scales):
        raise UserError(f"{path} is of a run that was done: nothing is left to do")
    posed = setup.posed(found.scale)
    found.check(path, checkpoint.of_pictures(posed.content, posed.style))
    weights = setup.weights(given, found.scale, posed, watch)
    found.check(path, checkpoint.of_weights(weights))
    problem = posed.problem(weights, found.state.image)
    job = Transfer(problem, make(problem, found.state), seed, setup, make)
    del posed, problem  # before the engine takes more memory
    job.go_on(found)
    return job


def pose(
    content: Source,
    style: Source,
    *,
    protocol: str | Protocol = "modern",
    weights: str | Weights | None = None,
    seed: int = 0,
    watch: Callable[[Sequence[Node]], Iterable[Node]] = iter,
    **options: Any,
) -> Problem:
    """Return what a transfer of one scale computes, for an engine; see `prepare`."""
    settings = _settings(protocol, weights, options).with_options(scales=1)
    setup = Setup(content, style, settings, network_for(settings))
    first = setup.posed(0)
    start = first.start(seed)
    return first.problem(setup.weights(weights, 0, first, watch), start)


def _settings(
    protocol: str | Protocol, weights: str | Weights | None, options: dict[str, Any]
) -> Protocol:
    settings = protocols.get(protocol) if isinstance(protocol, str) else protocol
    named = weights if isinstance(weights, str) else None
    return settings.with_options(weights=named, **options)


def network_for(protocol: Protocol) -> Network:
    """Return the protocol's network, pooled and tapped as it says, up to the taps."""
    network = networks.get(protocol.model)
    network = network.with_pooling(protocol.pooling, protocol.pooling_rounding)
    if protocol.taps_after_relu:
        network = network.with_taps_after_relu()
    if protocol.chainer_normalisation:
        network = network.with_chainer_normalisation()
    if protocol.equal_taps:
        network = network.with_equal_taps()
    return network.upto_taps()
