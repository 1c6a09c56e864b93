"""A network's filters and biases as convolutions on the device read them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.engines.cuda.machine import Machine
from chainer_style.engines.cuda.nodes import filled, turns
from chainer_style.networks import Network
from chainer_style.networks.nodes import Conv
from chainer_style.weights import Arrays

Array = npt.NDArray[Any]


def load(machine: Machine, network: Network, arrays: Arrays) -> dict[str, int]:
    """Copy filters and biases to the device, and return their addresses by name.

    Parameters
    ----------
    machine
        Where to.
    network
        Whose convolutions.
    arrays
        Layer name -> ``W``/``b`` -> array.
    """
    found = {}
    for node in network.nodes:
        if isinstance(node, Conv):
            own = arrays[node.name]
            packed = machine.format.encode(filters(own["W"], node.groups))
            found[f"filters {node.name}"] = machine.hold(packed)
            found[f"bias {node.name}"] = machine.hold(bias(own["b"]))
            if turns(node):
                packed = machine.format.encode(filters(turned(own["W"]), 1))
                found[f"turned {node.name}"] = machine.hold(packed)
    return found


def filters(array: Array, groups: int) -> Array:
    """Return filters, (out, in, k, k), as (out, k, k, in), both filled with zeros."""
    outputs, inputs, kernel, _ = array.shape
    # Of groups, none is filled up: `Layers.geometry` refuses those that would be.
    depth = inputs if groups > 1 else filled(inputs)
    packed = np.zeros((filled(outputs), kernel, kernel, depth), np.float32)
    packed[:outputs, :, :, :inputs] = array.transpose(0, 2, 3, 1)
    return packed


def turned(array: Array) -> Array:
    """Return filters, (out, in, k, k), turned by half a turn, as (in, out, k, k)."""
    return array.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]


def bias(array: Array) -> Array:
    """Return biases, filled with zeros; float32 whatever features are."""
    packed = np.zeros(filled(len(array)), np.float32)
    packed[: len(array)] = array
    return packed


def size(machine_bytes: int, network: Network) -> int:
    """Return the bytes that `load` takes.

    Parameters
    ----------
    machine_bytes
        Of a feature.
    network
        Whose convolutions.
    """
    total = 0
    shapes = network.parameter_shapes()
    for node in network.nodes:
        if isinstance(node, Conv):
            outputs, inputs, kernel, _ = shapes[node.name]["W"]
            depth = inputs if node.groups > 1 else filled(inputs)
            times = 2 if turns(node) else 1
            total += times * machine_bytes * filled(outputs) * kernel**2 * depth
            total += 4 * filled(outputs)
    return total
