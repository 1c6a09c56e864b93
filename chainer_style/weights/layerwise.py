"""Weights made layer by layer on pictures, from below upwards.

Every channel is scaled and shifted to zero mean and a given deviation before its
ReLU, so that the signal neither dies nor explodes on its way up. Mishkin and Matas
2015, arXiv 1511.06422.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterable, Sequence

import chainer
import numpy as np
import numpy.typing as npt
import threadpoolctl

from chainer_style.functions import apply
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Linear, Node
from chainer_style.weights.collection import Arrays

Matrix = npt.NDArray[np.float32]

Filters = Callable[[Conv | Linear, tuple[int, ...], Sequence[Matrix]], Matrix]
"""Makes a layer's filters from its declaration, their shape and its inputs."""

DEVIATION = 10.0
"""Standard deviation of every channel before its ReLU."""

SHALLOW_DEVIATION = 30.0
"""The same up to the last tap below the first that reads content.

Both were chosen by eye, so that the 2016 values of lambda and of the learning rate
balance content and style: the content term grows with the square of its channels'
deviation, the style term with its fourth power. Trained networks too are louder
below.
"""


def build(
    network: Network,
    pictures: Sequence[Matrix],
    filters: Filters,
    watch: Callable[[Sequence[Node]], Iterable[Node]] = iter,
) -> Arrays:
    """Make the weights of a network.

    Parameters
    ----------
    network
        The graph.
    pictures
        In network units, each of shape (n, 3, height, width); they may differ in
        size.
    filters
        Called once per layer, after everything below it is done.
    watch
        Passes the nodes on, and may show how far it is.

    Returns
    -------
    dict
        Layer name -> ``W``/``b`` -> array of float32.
    """
    shapes = network.parameter_shapes()
    shallow = _shallow(network)
    values: dict[str, list[Matrix]] = {INPUT: list(pictures)}
    arrays = {}
    with (
        chainer.no_backprop_mode(),
        chainer.using_config("train", False),
        # As fast on one thread; each more would keep a buffer of 20 MiB for good.
        threadpoolctl.threadpool_limits(1, "blas"),
    ):
        for node in watch(network.nodes):
            inputs = [values[name] for name in node.inputs]
            if isinstance(node, Conv | Linear):
                W = filters(node, shapes[node.name]["W"], inputs[0])
                responses = [_response(node, x, W) for x in inputs[0]]
                deviation = SHALLOW_DEVIATION if node.name in shallow else DEVIATION
                scale, shift = _normalising(responses, deviation)
                # In C order, as when read from a file; last bits may hang on it.
                scaled = np.multiply(W, _along(scale, W, axis=0), order="C")
                arrays[node.name] = {"W": scaled, "b": shift}
                values[node.name] = [
                    y * _along(scale, y, axis=1) + _along(shift, y, axis=1)
                    for y in responses
                ]
            else:
                values[node.name] = [
                    apply(node, *of_one).array for of_one in zip(*inputs, strict=True)
                ]
    return arrays


def random_for(seed: int, purpose: str) -> np.random.RandomState:
    """Return a source of chance that depends on a seed and a name alone."""
    # RandomState: its stream is frozen, Generator's may change with NumPy.
    return np.random.RandomState([seed, zlib.crc32(purpose.encode())])


def _shallow(network: Network) -> set[str]:
    """Return the nodes that some tap below the first with content depends on."""
    taps = itertools.takewhile(lambda tap: not tap.content, network.taps)
    return {node.name for node in network.upto(*(tap.node for tap in taps)).nodes}


def _response(node: Conv | Linear, x: Matrix, W: Matrix) -> Matrix:
    response: Matrix = apply(node, x, W, np.zeros(len(W), W.dtype)).array
    return response


def _normalising(responses: Sequence[Matrix], wanted: float) -> tuple[Matrix, Matrix]:
    """Return each channel's factor and summand for zero mean and that deviation."""
    flat = np.concatenate(
        [y.swapaxes(0, 1).reshape(y.shape[1], -1) for y in responses], axis=1
    )
    deviation = flat.std(axis=1)
    # A channel that hardly moves on these pictures must not be blown up.
    scale = wanted / np.maximum(deviation, 0.05 * deviation.mean() + 1e-6)
    return scale.astype(np.float32), (-flat.mean(axis=1) * scale).astype(np.float32)


def _along(values: Matrix, like: Matrix, axis: int) -> Matrix:
    """Shape a vector so that it multiplies `like` along an axis."""
    shape = [1] * like.ndim
    shape[axis] = -1
    return values.reshape(shape)
