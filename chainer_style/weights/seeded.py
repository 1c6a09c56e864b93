"""Weights made from a seed, for machines without a trained file.

Filters are random, orthogonal where they do not overlap, and come in pairs of
opposite sign: what one of a pair loses to its ReLU, the other keeps. The next layer
reads the difference of a pair, so that picture and gradient pass through all layers as
through one linear map. Without this the gradient of a deep random network looks like
noise, and so does what is painted from it. The filters are then normalised layer by
layer (see `chainer_style.weights.layerwise`) on pictures with natural statistics.

Speed does not depend on the values of the weights; the picture does, so whatever is
made with these says "seeded (untrained) weights".

Saxe, McClelland and Ganguli 2013, arXiv 1312.6120 (orthogonal); Balduzzi and others
2017, arXiv 1702.08591 (pairs: the "looks linear" initialisation); He, Wang and
Hopcroft 2016, arXiv 1606.04801 (style transfer with random weights).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chainer_style.networks import Network
from chainer_style.networks.nodes import Conv, Linear
from chainer_style.weights import layerwise
from chainer_style.weights.collection import Weights
from chainer_style.weights.layerwise import Matrix, random_for
from chainer_style.weights.natural import dead_leaves

RISE = 1.5
"""Power by which amplitudes rise with frequency where a layer moves by more than 1.

There a picture can hide errors between the filters' positions, as a grid; rising
amplitudes undo the fall in natural pictures, and the style term sees the grid.
"""

POSITIONS = 100
"""Least number of positions that a channel's statistics are taken from."""


def generate(network: Network, seed: int = 0) -> Weights:
    """Generate the weights of a network.

    The values depend on the seed, the layers' names and what lies below them,
    not on what the network has above its taps.

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
        return _filters(random_for(seed, node.name), node, shape)

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


def _filters(
    random: np.random.RandomState, node: Conv | Linear, shape: tuple[int, ...]
) -> Matrix:
    """Return random filters, before their responses are normalised."""
    if isinstance(node, Linear):
        return _orthonormal(random.normal(size=shape))
    # Only the picture comes unpaired, in three channels.
    paired = shape[1] % 2 == 0
    single = (-(-shape[0] // 2), shape[1] // 2 if paired else shape[1], *shape[2:])
    if node.stride > 1:
        filters = _strided(random, single, node.stride)
    else:
        filters = _orthonormal(random.normal(size=(single[0], math.prod(single[1:]))))
        filters = filters.reshape(single)
    if paired:
        filters = np.stack([filters, -filters], axis=2).reshape(single[0], *shape[1:])
    return np.stack([filters, -filters], axis=1).reshape(-1, *shape[1:])[: shape[0]]


def _strided(
    random: np.random.RandomState, shape: tuple[int, ...], stride: int
) -> Matrix:
    """Return filters that overlap softly, so that no borders show in the picture.

    Mixtures of as many waves as the stride has pixels.
    """
    frequency = np.arange(stride)[:, None]
    position = np.arange(shape[2]) - shape[2] // 2
    phase = np.where(frequency, np.pi / 4, 0)
    waves = np.cos(np.pi * frequency * position / stride + phase)
    waves *= np.hanning(shape[2] + 2)[1:-1]
    waves /= np.linalg.norm(waves, axis=1, keepdims=True)
    amplitude = (1 + np.hypot(frequency, frequency.T)) ** RISE
    mixture = _orthonormal(random.normal(size=(shape[0], shape[1] * stride**2)))
    mixed = mixture.reshape(*shape[:2], *amplitude.shape) * amplitude
    return np.asarray(waves.T @ mixed @ waves, np.float32)


def _orthonormal(values: npt.NDArray[np.float64]) -> Matrix:
    """Return orthonormal rows, or columns where rows abound, of the same span."""
    wide = values if len(values) <= len(values.T) else values.T
    # L⁻¹X has orthonormal rows where X Xᵀ = L Lᵀ: much cheaper than a QR of X.
    rows = np.linalg.solve(np.linalg.cholesky(wide @ wide.T), wide)
    return (rows if wide is values else rows.T).astype(np.float32)
