"""Weights made from a seed, for machines without a trained file.

Random orthogonal filters, scaled and shifted layer by layer so that every channel
has zero mean and the same deviation on pictures with natural statistics: the
signal neither dies nor explodes on its way up. Speed does not depend on the
values of the weights; the picture does, so whatever is made with these says
"seeded (untrained) weights".

Saxe, McClelland and Ganguli 2013, arXiv 1312.6120 (orthogonal); Mishkin and Matas
2015, arXiv 1511.06422 (layer-wise normalisation on data); He, Wang and Hopcroft
2016, arXiv 1606.04801 (style transfer with random weights).
"""

from __future__ import annotations

import zlib

import chainer
import numpy as np
import numpy.typing as npt

from chainer_style import links
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Linear
from chainer_style.weights.collection import Weights
from chainer_style.weights.natural import dead_leaves

Matrix = npt.NDArray[np.float32]

DEVIATION = 40.0
"""Standard deviation of every channel before its ReLU.

Chosen so that the 2016 values of lambda and of the learning rate balance content
and style: the content term grows with its square, the style term with its fourth
power.
"""

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
    shapes = network.parameter_shapes()
    values = {INPUT: _pictures(network, seed)}
    arrays = {}
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        for node in network.nodes:
            inputs = [values[name] for name in node.inputs]
            parameters: tuple[Matrix, ...] = ()
            if isinstance(node, Conv | Linear):
                W = _orthogonal(_random(seed, node.name), shapes[node.name]["W"])
                raw = links.apply(node, inputs[0], W, np.zeros(len(W), np.float32))
                parameters = _normalised(W, raw.array)
                arrays[node.name] = dict(zip("Wb", parameters, strict=True))
            values[node.name] = links.apply(node, *inputs, *parameters).array
    return Weights(network.name, "seeded", arrays, source=f"seed {seed}", seed=seed)


def _pictures(network: Network, seed: int) -> Matrix:
    """Return pictures, enough for the statistics of the topmost feature map."""
    side = network.input_size
    maps = network.shapes(side, side).values()
    positions = min((m.height * m.width for m in maps if m.height > 1), default=1)
    random = _random(seed, "pictures")
    count = -(-POSITIONS // positions)
    pictures = [dead_leaves(random, side) for _ in range(count)]
    return np.concatenate(pictures) - np.float32(120)


def _random(seed: int, purpose: str) -> np.random.RandomState:
    # RandomState: its stream is frozen, Generator's may change with NumPy.
    return np.random.RandomState([seed, zlib.crc32(purpose.encode())])


def _orthogonal(random: np.random.RandomState, shape: tuple[int, ...]) -> Matrix:
    """Return filters that are orthonormal rows, or columns where rows abound."""
    values = random.normal(size=shape)
    if len(shape) == 4:
        values = values @ _smooth(shape[3]).T
        values = (values.swapaxes(2, 3) @ _smooth(shape[2]).T).swapaxes(2, 3)
    values = values.reshape(shape[0], -1)
    rows, columns = values.shape
    small = values if rows <= columns else values.T
    # L⁻¹X has orthonormal rows where X Xᵀ = L Lᵀ: much cheaper than a QR of X.
    orthonormal = np.linalg.solve(np.linalg.cholesky(small @ small.T), small)
    matrix = orthonormal if rows <= columns else orthonormal.T
    return matrix.reshape(shape).astype(np.float32)


def _smooth(n):
    k = np.arange(n)
    D = np.cos(np.pi * (k[:, None] + 0.5) * k / n)
    D /= np.linalg.norm(D, axis=0)
    return D * DECAY ** np.minimum(k, 4)


DECAY = 1.0


def _normalised(W: Matrix, response: Matrix) -> tuple[Matrix, Matrix]:
    """Scale and shift filters for zero mean and `DEVIATION` in every channel."""
    axes = (0, *range(2, response.ndim))
    scale = DEVIATION / (response.std(axis=axes) + 1e-6)
    mean = response.mean(axis=axes)
    wide = scale.reshape(-1, *(1,) * (W.ndim - 1))
    return (W * wide).astype(np.float32), (-mean * scale).astype(np.float32)
