"""What engine ``cpu`` holds in memory, known before anything is allocated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass

from chainer_style.engines.arena import Buffer
from chainer_style.engines.cpu.compiler import Compiler
from chainer_style.engines.cpu.draft import Draft
from chainer_style.engines.cpu.iteration import Sketch
from chainer_style.engines.cpu.losses import Term
from chainer_style.engines.cpu.packing import filled
from chainer_style.engines.cpu.parameters import Parameters
from chainer_style.engines.cpu.targets import sketch_grams
from chainer_style.networks import INPUT, Network
from chainer_style.protocols import Protocol

PICTURES = 3
"""The picture and Adam's moments."""

MIB = 2**20


@dataclass(frozen=True)
class Footprint:
    """Bytes that the engine allocates for a transfer and keeps.

    Attributes
    ----------
    filters
        As the kernels read them, both ways.
    targets
        Gram matrices and content features.
    pictures
        The picture and Adam's moments.
    maps
        Feature maps, their signs and gradients, by lifetime.
    space
        Of the threads.
    """

    filters: int
    targets: int
    pictures: int
    maps: int
    space: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(astuple(self))

    @classmethod
    def of(
        cls,
        network: Network,
        protocol: Protocol,
        content: tuple[int, int],
        style: tuple[int, int],
        threads: int,
        half: bool = False,
    ) -> Footprint:
        """Predict a transfer's.

        Parameters
        ----------
        network
            As the protocol wants it, up to its taps.
        protocol
            Every setting.
        content, style
            Height and width of the pictures.
        threads
            Of the CPU.
        half
            Whether products are bfloat16's.
        """
        parameters = Parameters(network, *content, half)
        compiler = Compiler(network, *content, parameters, threads)
        terms = {t.node: Term(1, 1, bool(t.content)) for t in network.taps}
        Sketch(compiler, protocol, terms)
        maps = compiler.maps
        targets = sum(
            4 * filled(maps[tap.node].count) ** 2
            + bool(tap.content) * maps[tap.node].size
            for tap in network.taps
        )
        pictures = PICTURES * maps[INPUT].size
        during = _memory(compiler.draft, threads)
        before = Compiler(network, *style, parameters, threads)
        sketch_grams(before)
        # While targets are computed there are no other feature maps.
        larger = max(during, _memory(before.draft, threads), key=sum)
        return cls(parameters.size, targets, pictures, *larger)


def _memory(draft: Draft, threads: int) -> tuple[int, int]:
    return draft.arrange().size, draft.space * threads


def table(buffers: Iterable[Buffer], steps: int) -> Iterator[str]:
    """Yield the lines of a map of the memory: what lies where, and how long.

    Parameters
    ----------
    buffers
        To be shown, the largest first.
    steps
        Number of steps of the program.
    """
    width = 40
    for buffer in sorted(buffers, key=lambda b: (-b.size, b.first)):
        first = buffer.first * width // steps
        last = max(first + 1, -(-min(buffer.last + 1, steps) * width // steps))
        bar = " " * first + "=" * (last - first)
        yield f"{buffer.name:24.24} {buffer.size / MIB:8.2f} MiB |{bar:{width}}|"
