"""Weights made from a seed, for machines without a trained file.

Random smooth filters, orthogonal where kernels are small, are normalised layer by
layer (see `chainer_style.weights.layerwise`) on pictures with natural statistics.
Speed does not depend on the values of the weights; the picture does, so whatever is
made with these says "seeded (untrained) weights".

Saxe, McClelland and Ganguli 2013, arXiv 1312.6120 (orthogonal); He, Wang and
Hopcroft 2016, arXiv 1606.04801 (style transfer with random weights).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chainer_style.networks import Network
from chainer_style.networks.nodes import Conv, Linear
from chainer_style.weights import layerwise
from chainer_style.weights.collection import Weights
from chainer_style.weights.layerwise import Matrix, random_for
from chainer_style.weights.natural import dead_leaves

DECAY = 2.0
"""Power by which a filter's amplitude falls with frequency.

Flat noise (0) makes pixel noise of every style; falling amplitudes, like those of
natural pictures, make strokes.
"""

SMALL = 3
"""Largest kernel whose filters are made orthogonal."""

POSITIONS = 100
"""Least number of positions that a channel's statistics are taken from."""


def generate(network: Network, seed: int = 0) -> Weights:
    """Generate the weights of a network.

    The values depend on the seed, the layers' names and what lies below them,
    not on where the network is cut off.

    Parameters
    ----------
    network
        The graph.
    seed
        0 to 2³² - 1.

    Returns
    -------
    Weights
        Of kind ``seeded``.
    """

    def filters(
        node: Conv | Linear, shape: tuple[int, ...], inputs: Sequence[Matrix]
    ) -> Matrix:
        return _filters(random_for(seed, node.name), shape)

    arrays = layerwise.build(network, [_pictures(network, seed)], filters)
    return Weights(network.name, "seeded", arrays, source=f"seed {seed}", seed=seed)


def _pictures(network: Network, seed: int) -> Matrix:
    """Return pictures, enough for the statistics of the topmost feature map."""
    side = network.input_size
    maps = network.shapes(side, side).values()
    positions = min((m.height * m.width for m in maps if m.height > 1), default=1)
    random = random_for(seed, "pictures")
    count = -(-POSITIONS // positions)
    pictures = [dead_leaves(random, side) for _ in range(count)]
    return np.concatenate(pictures) - np.float32(120)


def _filters(random: np.random.RandomState, shape: tuple[int, ...]) -> Matrix:
    """Return random filters, before their responses are normalised."""
    values = random.normal(size=shape)
    if len(shape) == 2:
        return _orthonormal(values)
    kernel = shape[2]
    values = _smooth(kernel) @ values @ _smooth(kernel).T
    if kernel <= SMALL:
        return _orthonormal(values.reshape(shape[0], -1)).reshape(shape)
    # Large kernels move by a stride: without a taper the borders of their windows
    # would show in the picture as a grid.
    taper = np.hanning(kernel + 2)[1:-1]
    return (values * np.outer(taper, taper)).astype(np.float32)


def _smooth(kernel: int) -> npt.NDArray[np.float64]:
    """Return what turns white noise into cosines of falling amplitude."""
    frequency = np.arange(kernel)
    position = (frequency[:, None] + 0.5) / kernel
    cosines = np.cos(np.pi * position * frequency)
    amplitude = (1.0 + frequency) ** -DECAY / np.linalg.norm(cosines, axis=0)
    return np.asarray(cosines * amplitude)


def _orthonormal(values: npt.NDArray[np.float64]) -> Matrix:
    """Return orthonormal rows, or columns where rows abound, of the same span."""
    wide = values if len(values) <= len(values.T) else values.T
    # L⁻¹X has orthonormal rows where X Xᵀ = L Lᵀ: much cheaper than a QR of X.
    rows = np.linalg.solve(np.linalg.cholesky(wide @ wide.T), wide)
    return (rows if wide is values else rows.T).astype(np.float32)
