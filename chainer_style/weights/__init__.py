"""Weights: read from Caffe's files, kept in HDF5, or generated from a seed."""

from __future__ import annotations

from pathlib import Path

from chainer_style.errors import UserError
from chainer_style.networks import Network
from chainer_style.weights.collection import Array, Arrays, Weights

__all__ = ["Array", "Arrays", "Weights", "load"]


def load(spec: str, network: Network) -> Weights:
    """Return the weights that a user asked for.

    Parameters
    ----------
    spec
        ``seeded`` or ``seeded:SEED``, or the name of an HDF5 file or a
        ``.caffemodel``.
    network
        The graph they must fit; layers that it lacks are not read.

    Raises
    ------
    UserError
        If there is no such file, or it does not fit the network.
    """
    # Imported late: each reader brings its own library.
    kind, _, seed = spec.partition(":")
    if kind == "seeded" and not Path(spec).exists():
        from chainer_style.weights import seeded

        return seeded.generate(network, _seed(spec, seed))
    path = Path(spec)
    if path.suffix in (".h5", ".hdf5"):
        from chainer_style.weights import store

        return store.load(path, network)
    from chainer_style.weights import caffe

    return caffe.load(path, network)


def _seed(spec: str, seed: str) -> int:
    try:
        value = int(seed or 0)
    except ValueError:
        value = -1
    if not 0 <= value < 2**32:
        raise UserError(
            f"cannot understand the weights {spec!r}; expected seeded, or seeded:SEED "
            "with a whole number from 0 to 4294967295, or a file"
        )
    return value
