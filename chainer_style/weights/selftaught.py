"""Weights learned, without labels, from the very pictures at hand.

Layer by layer, the filters are the typical patches of what the layer below makes of
the pictures: patches are whitened, softly, and clustered by direction. It takes
seconds and no file, and finds the strokes of a painting where random filters find
only its colours. Trained weights are better still.

Coates and Ng 2012, "Learning feature representations with k-means"; Raina and
others 2007, "Self-taught learning".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from chainer_style.networks import Network
from chainer_style.networks.nodes import Conv, Linear, Node
from chainer_style.weights import layerwise
from chainer_style.weights.collection import Weights
from chainer_style.weights.layerwise import Matrix, random_for

PATCHES = 8000
"""Number of patches that a layer learns from."""

DIMENSIONS = 640
"""Most numbers that describe a patch; channels are reduced to their main axes."""

AXES = 256
"""Most axes of a patch that are kept after whitening."""

SOFTNESS = 0.3
"""Added to every axis' power, as a share of the mean power, before whitening.

0.05 makes fine hatching, 1 broad strokes.
"""

ROUNDS = 8
"""Rounds of k-means."""


def learn(
    network: Network,
    pictures: Sequence[Matrix],
    seed: int = 0,
    watch: Callable[[Sequence[Node]], Iterable[Node]] = iter,
) -> Weights:
    """Learn the weights of a network from pictures.

    Parameters
    ----------
    network
        The graph, up to where filters are wanted.
    pictures
        In network units, each of shape (1, 3, height, width).
    seed
        0 to 2³² - 1; decides which patches are looked at.
    watch
        Passes the nodes on, and may show how far it is.

    Returns
    -------
    Weights
        Of kind ``self-taught``; its checksum is that of the pictures.
    """

    def filters(
        node: Conv | Linear, shape: tuple[int, ...], inputs: Sequence[Matrix]
    ) -> Matrix:
        random = random_for(seed, node.name)
        if isinstance(node, Linear):
            return random.normal(size=shape).astype(np.float32)
        patches = _patches(node, inputs, random)
        part = (shape[0] // node.groups, *shape[1:])
        # Each group learns from the channels that it sees.
        groups = np.split(patches, node.groups, axis=1)
        return np.concatenate([_learned(group, part, random) for group in groups])

    arrays = layerwise.build(network, pictures, filters, watch)
    return replace(describe(network, pictures, seed), arrays=arrays)


def describe(network: Network, pictures: Sequence[Matrix], seed: int = 0) -> Weights:
    """Return what `learn` would return, without arrays and without learning."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(repr(picture.shape).encode() + picture.tobytes())
    return Weights(
        network.name,
        "self-taught",
        {},
        source=f"{len(pictures)} pictures, seed {seed}",
        sha256=digest.hexdigest(),
        seed=seed,
    )


def _patches(
    node: Conv, inputs: Sequence[Matrix], random: np.random.RandomState
) -> Matrix:
    """Return patches where the layer looks, (n, channels, kernel, kernel).

    Every picture gives the same number, however large it is.
    """
    kernel, stride, pad = node.window
    offset = np.arange(kernel)
    found = []
    for x in inputs:
        margin = [(0, 0), (pad, pad), (pad, pad)]
        padded = np.pad(x[0], margin)
        extent = [(n - kernel) // stride + 1 for n in padded.shape[1:]]
        count = min(PATCHES // len(inputs), extent[0] * extent[1])
        chosen = random.permutation(extent[0] * extent[1])[:count]
        rows, columns = (stride * i for i in np.unravel_index(chosen, extent))
        rows = rows[:, None, None] + offset[:, None]
        columns = columns[:, None, None] + offset
        found.append(padded[:, rows, columns].swapaxes(0, 1))
    return np.concatenate(found)


def _learned(
    patches: Matrix, shape: tuple[int, ...], random: np.random.RandomState
) -> Matrix:
    """Return the filters of a layer: centroids of softly whitened patches."""
    channels = _main_axes(patches.swapaxes(0, 1).reshape(shape[1], -1), shape[2])
    reduced = np.einsum("nchw,cd->ndhw", patches, channels, optimize=True)
    flat = reduced.reshape(len(reduced), -1)
    flat = flat - flat.mean(axis=0)
    power, axes = np.linalg.eigh((flat.T @ flat / len(flat)).astype(np.float64))
    power, axes = np.maximum(power[-AXES:], 0), axes[:, -AXES:]
    whitening = axes / np.sqrt(power + SOFTNESS * power.mean() + 1e-12)
    white = _directions((flat @ whitening).astype(np.float32))
    filters = (_clusters(white, shape[0], random) @ whitening.T).reshape(
        shape[0], -1, *shape[2:]
    )
    found = np.einsum("odhw,cd->ochw", filters, channels, optimize=True)
    return np.asarray(found, np.float32)


def _main_axes(values: Matrix, kernel: int) -> Matrix:
    """Return the axes along which channels vary most, as columns."""
    keep = max(DIMENSIONS // kernel**2, 3)
    if keep >= len(values):
        return np.eye(len(values), dtype=np.float32)
    centred = values - values.mean(axis=1, keepdims=True)
    _, axes = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    return axes[:, -keep:].astype(np.float32)


def _clusters(white: Matrix, count: int, random: np.random.RandomState) -> Matrix:
    """Return the directions that patches gather around, sign aside."""
    start = random.permutation(len(white))[:count]
    spare = random.normal(size=(count - len(start), white.shape[1]))
    centroids = _directions(np.concatenate([white[start], spare.astype(np.float32)]))
    for _ in range(ROUNDS):
        likeness = white @ centroids.T
        nearest = abs(likeness).argmax(axis=1)
        signed = white * likeness[np.arange(len(white)), nearest, None]
        order = np.argsort(nearest, kind="stable")
        members, first = np.unique(nearest[order], return_index=True)
        # A centroid that no patch is nearest to stays where it is.
        centroids[members] = np.add.reduceat(signed[order], first)
        centroids = _directions(centroids)
    return centroids


def _directions(rows: Matrix) -> Matrix:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / (length + 1e-6), np.float32)
