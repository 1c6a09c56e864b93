"""The optimisation loop: a generator of iterates.

Progress bars, snapshots and records are observers of the loop (package
`chainer_style.observers`); it knows nothing of them.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from chainer_style import engines, images, networks, protocols
from chainer_style.engines.base import Device, Engine, Losses, Precision, Problem
from chainer_style.images import Array, Source
from chainer_style.networks import Network
from chainer_style.networks.nodes import Node
from chainer_style.protocols import Protocol
from chainer_style.weights import Weights
from chainer_style.weights import load as load_weights


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
    _engine: Engine
    _read_losses: Callable[[], Losses]

    @functools.cached_property
    def losses(self) -> Losses:
        """The losses before this iteration's update."""
        return self._read_losses()

    @property
    def array(self) -> Array:
        """The picture in network units, (1, 3, height, width) float32."""
        return self._engine.image

    @property
    def picture(self) -> Image.Image:
        """The picture, without padding."""
        return images.to_image(self.array, self._engine.problem.canvas)

    @property
    def label(self) -> str:
        """What to say of the weights beside the picture."""
        return self._engine.problem.weights.label


@dataclass(frozen=True)
class Transfer:
    """A transfer that is set up and waits to run.

    Attributes
    ----------
    problem
        What is computed.
    engine
        What computes it.
    seed
        Of the noise that it starts from.
    """

    problem: Problem
    engine: Engine
    seed: int

    @property
    def picture(self) -> Image.Image:
        """The picture as it stands, without padding."""
        return images.to_image(self.engine.image, self.problem.canvas)

    def run(self, iterations: int | None = None) -> Iterator[Iterate]:
        """Optimise, and yield an `Iterate` after every step.

        Parameters
        ----------
        iterations
            How many; by default as many as the protocol says.
        """
        total = iterations or self.problem.protocol.iterations
        for index in range(total):
            begin = time.perf_counter()
            read_losses = self.engine.step()
            self.engine.synchronize()
            seconds = time.perf_counter() - begin
            yield Iterate(index, seconds, self.engine, read_losses)


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
    precision: Precision = "float32",
    seed: int = 0,
    watch: Callable[[Sequence[Node]], Iterable[Node]] = iter,
    compiling: engines.Watch = iter,
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
    **options
        Fields of the protocol to replace, such as ``width=512``.

    Raises
    ------
    UserError
        If anything given cannot be used.
    """
    engines.check(engine, device)
    problem = pose(
        content,
        style,
        protocol=protocol,
        weights=weights,
        seed=seed,
        watch=watch,
        **options,
    )
    made = engines.create(engine, problem, device, precision, compiling)
    return Transfer(problem, made, seed)


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
    """Return what a transfer computes, for an engine; see `prepare`."""
    settings = protocols.get(protocol) if isinstance(protocol, str) else protocol
    named = weights if isinstance(weights, str) else None
    settings = settings.with_options(weights=named, **options)
    network = network_for(settings)
    content_array, canvas = images.prepare(content, settings, network)
    network.check_size(canvas.height, canvas.width)
    style_array, style_canvas = images.prepare(style, settings, network)
    network.check_size(style_canvas.height, style_canvas.width)
    start = _start(settings, canvas, content_array, seed)
    if not isinstance(weights, Weights):
        pictures = (content_array, style_array)
        weights = load_weights(settings.weights, network, pictures, watch)
    return Problem(
        network=network,
        weights=weights.for_network(network),
        protocol=settings,
        content=content_array,
        style=style_array,
        start=start,
        canvas=canvas,
    )


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


def _start(
    protocol: Protocol, canvas: images.Canvas, content: Array, seed: int
) -> Array:
    """Return the picture to start from, in the shape of the content."""
    if protocol.init == "content":
        return content.copy()
    if protocol.init == "noise":
        # np.random.uniform(-20, 20, ...) in the 2016 code, which set no seed.
        reach = protocol.noise_range
        noise = np.random.RandomState(seed).uniform(-reach, reach, content.shape)
        return noise.astype(np.float32)
    return images.prepare_start(protocol.init, protocol, canvas, content)
