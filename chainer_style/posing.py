"""What a transfer computes, scale by scale: pictures read, weights loaded once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from chainer_style import images, reading
from chainer_style.engines.base import Problem
from chainer_style.images import Array, Source
from chainer_style.networks import Network
from chainer_style.networks.nodes import Node
from chainer_style.protocols import Protocol
from chainer_style.scales import LARGEST, learned_at, plan
from chainer_style.weights import Weights
from chainer_style.weights import load as load_weights


@dataclass(frozen=True)
class Posed:
    """The pictures of one scale.

    Attributes
    ----------
    network
        The graph as the protocol wants it.
    protocol
        The scale's settings.
    content, style
        In network units, see `Problem`.
    canvas
        How the content lies in its array.
    """

    network: Network
    protocol: Protocol
    content: Array
    style: Array
    canvas: images.Canvas

    def start(self, seed: int) -> Array:
        """Return the picture to start from, in the shape of the content."""
        protocol, content = self.protocol, self.content
        if protocol.init == "content":
            return content.copy()
        if protocol.init == "noise":
            # np.random.uniform(-20, 20, ...) in the 2016 code, which set no seed.
            reach = protocol.noise_range
            random = np.random.RandomState(seed)
            noise = np.empty(content.shape, np.float32)
            parts = 1 + noise.size // reading.BAND
            # Few at a time: the generator's double precision takes twice the memory.
            for part in np.array_split(noise.reshape(-1), parts):
                part[:] = random.uniform(-reach, reach, part.size)
            return noise
        return images.prepare_start(protocol.init, protocol, self.canvas, content)

    def problem(self, weights: Weights, start: Array) -> Problem:
        """Return what is computed from there on."""
        return Problem(
            network=self.network,
            weights=weights,
            protocol=self.protocol,
            content=self.content,
            style=self.style,
            start=start,
            canvas=self.canvas,
        )


class Setup:
    """What makes the scales of a transfer, one by one.

    Parameters
    ----------
    content, style
        Files or Pillow images.
    protocol
        Every setting.
    network
        As the protocol wants it, up to the taps.

    Attributes
    ----------
    scales
        The settings of every scale, from coarse to fine.
    """

    def __init__(
        self,
        content: Source,
        style: Source,
        protocol: Protocol,
        network: Network,
    ) -> None:
        self._sources = content, style
        self._network = network
        self.protocol = protocol
        self.scales = plan(protocol, self._sources, network)
        self._kept: dict[int, Posed] = {}

    def sizes(self, settings: Protocol) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return height and width of content and style at a scale."""
        content, style = (
            images.extent(reading.size(source, orient=settings.orient), settings)
            for source in self._sources
        )
        return content, style

    def posed(self, scale: int) -> Posed:
        """Return the pictures of a scale, in its size."""
        if scale in self._kept:  # weights were learned from them
            return self._kept.pop(scale)
        return self._posed(self.scales[scale])

    def _posed(self, settings: Protocol) -> Posed:
        network = self._network
        (content, canvas), (style, _) = (
            _fitted(source, settings, network) for source in self._sources
        )
        return Posed(network, settings, content, style, canvas)

    def weights(
        self,
        given: str | Weights | None,
        scale: int,
        posed: Posed,
        watch: Callable[[Sequence[Node]], Iterable[Node]],
    ) -> Weights:
        """Return the weights of all scales, loaded or learned once.

        Parameters
        ----------
        given
            Weights, or what the protocol says already.
        scale, posed
            A scale whose pictures are at hand.
        watch
            See `prepare`.
        """
        if not isinstance(given, Weights):
            learned = learned_at(self.scales)
            if learned != scale:
                posed = self.posed(learned)
            if learned > scale:
                self._kept[learned] = posed
            if posed.protocol.width > LARGEST:
                posed = self._posed(dataclasses.replace(posed.protocol, width=LARGEST))
            pictures = posed.content, posed.style
            spec = self.protocol.weights
            given = load_weights(spec, self._network, pictures, watch)
        return given.for_network(self._network)


def _fitted(
    source: Source, protocol: Protocol, network: Network
) -> tuple[Array, images.Canvas]:
    """Return a picture in network units, not too small for the network."""
    array, canvas = images.prepare(source, protocol, network)
    network.check_size(canvas.height, canvas.width)
    return array, canvas
