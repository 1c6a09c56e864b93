"""What an iteration costs, counted on the network's graph."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chainer_style import networks
from chainer_style.experiments.rates import RateRecord
from chainer_style.networks import Network
from chainer_style.networks.nodes import Conv
from chainer_style.paper import Cell
from chainer_style.protocols import Protocol

FLOAT = 4
"""Bytes of a number in single precision."""


def network_of_2016(name: str) -> Network:
    """Return a network up to its last tap, pooled as protocol 2016 does."""
    protocol = Protocol()
    network = networks.get(name)
    return network.with_pooling(protocol.pooling, protocol.pooling_rounding).upto_taps()


def iteration_flops(cell: Cell) -> int:
    """Floating-point operations of one iteration, as the report counts them.

    Twice the forward pass: the forward convolutions, and those that carry the
    gradient back to the picture, which take as many. Left out are the weight
    gradients of protocol 2016 (as many as one pass), Gram matrices, and everything
    element by element.
    """
    return 2 * network_of_2016(cell.network).flops(cell.size, cell.size)


def transfer_flops(network: Network, height: int, width: int) -> int:
    """Floating-point operations of one iteration, Gram matrices included.

    Direct convolutions forward, and back to the picture; per tap one product for the
    Gram matrix, and one for its gradient. An algorithm that gets by with fewer
    multiplications, such as Winograd's, is credited with these.

    Parameters
    ----------
    network
        As it is run, up to its last tap.
    height, width
        Of the picture in pixels.
    """
    shapes = network.shapes(height, width)
    grams = [
        2 * shapes[tap.node].channels * shapes[tap.node].size for tap in network.taps
    ]
    return 2 * (network.flops(height, width) + sum(grams))


def flops_per_second(record: RateRecord) -> float:
    """Return the counted operations of an iteration over its median seconds."""
    return iteration_flops(record.cell) / record.median


@dataclass(frozen=True)
class LayerCost:
    """One convolution's forward pass.

    Attributes
    ----------
    name
        Of the layer.
    flops
        Its floating-point operations.
    least_bytes
        Picture in, filters, picture out, each moved once.
    column_bytes
        These, and the column matrix that Chainer's convolution on the CPU, and on
        a GPU without cuDNN, writes and reads again: every number of the input as
        often as a window covers it.
    """

    name: str
    flops: int
    least_bytes: int
    column_bytes: int


def layer_costs(name: str, size: int) -> list[LayerCost]:
    """Return what every convolution up to the last tap costs, as protocol 2016 has it.

    Parameters
    ----------
    name
        Of the network.
    size
        Side of the square picture in pixels.
    """
    network = network_of_2016(name)
    shapes = network.shapes(size, size)
    found = []
    for node in network.nodes:
        if not isinstance(node, Conv):
            continue
        into, out = [shapes[n] for n in node.inputs], shapes[node.name]
        filters = sum(map(math.prod, node.parameter_shapes(into).values()))
        least = FLOAT * (into[0].size + filters + out.size)
        column = into[0].channels * node.kernel**2 * out.height * out.width
        with_column = least + 2 * FLOAT * column
        found.append(LayerCost(node.name, node.flops(into), least, with_column))
    return found


def flops_per_byte(name: str, size: int) -> float:
    """Return the operations per byte of a network's convolutions, columns included."""
    costs = layer_costs(name, size)
    return sum(c.flops for c in costs) / sum(c.column_bytes for c in costs)
