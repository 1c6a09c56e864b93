"""Which losses are computed while a convolution waits for its filters.

On a small map a convolution does little with filters that come from memory, however
many threads ask for them. Losses at taps further up can be computed at the same time.
Neither this nor the order of the steps depends on the number of threads, so that
results do not either.
"""

from __future__ import annotations

import math

from chainer_style.engines.cpu import choice, division
from chainer_style.engines.cpu.compiler import Company, Compiler
from chainer_style.engines.cpu.draft import Map
from chainer_style.engines.cpu.filters import Gather
from chainer_style.engines.cpu.strided import Strided
from chainer_style.networks.nodes import Conv


def company(compiler: Compiler, backward: bool = False) -> Company:
    """Return which taps' losses are computed beside which convolution.

    The last taps come first; each goes to the convolution with the most time left.

    Parameters
    ----------
    compiler
        Of the network.
    backward
        Whether the gradients of the losses are meant, or else the Gram matrices.
    """
    nodes = compiler.network.nodes
    left = {
        node.name: _idle(compiler, node, backward)
        for node in nodes
        if isinstance(node, Conv)
    }
    found: dict[str, list[str]] = {}
    later: list[str] = []
    for node in reversed(nodes):
        if node.name in compiler.taps and _is_free(compiler, node.name, backward):
            # What reads a tap writes the same gradient.
            readers = {reader.name for reader in compiler.readers[node.name]}
            free = [name for name in later if name not in readers]
            best = max(free, key=left.__getitem__, default=None)
            cost = _cost(compiler.maps[node.name], backward)
            if best is not None and left[best] > cost / 2:
                found.setdefault(best, []).append(node.name)
                left[best] -= cost
        if isinstance(node, Conv):
            later.append(node.name)
    return found


def _idle(compiler: Compiler, node: Conv, backward: bool) -> float:
    """Return the cycles, of two cores together, that a convolution waits in memory."""
    _, way = compiler.parameters.filters(node, backward)
    if isinstance(way, (Gather, Strided)):
        return 0.0
    written = compiler.maps[node.inputs[0] if backward else node.name]
    count = math.ceil(written.height / way.side) * math.ceil(written.width / way.side)
    rates = choice.rates()
    return way.nbytes / rates.bytes - count * way.products / rates.multiply_adds


def _is_free(compiler: Compiler, tap: str, backward: bool) -> bool:
    """Whether a tap's losses are one step that may come at any time."""
    if backward:
        # Else the ReLU that shares the gradient would mask it too.
        return compiler.rectifier(tap) is None
    shape = compiler.maps[tap]
    return len(division.slots(shape)) == 1 and not division.is_few(shape)


def _cost(shape: Map, backward: bool) -> float:
    """Return the cycles of a tap's step: a Gram matrix is half computed."""
    whole = shape.positions * shape.channels**2 / choice.rates().multiply_adds
    return whole if backward else whole / 2
