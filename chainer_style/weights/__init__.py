"""Weights: read from Caffe's files, kept in HDF5, learned, or made from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from chainer_style.errors import UserError
from chainer_style.networks import Network
from chainer_style.networks.nodes import Node
from chainer_style.weights.collection import Array, Arrays, Weights

__all__ = ["Array", "Arrays", "Weights", "load"]


def load(
    spec: str,
    network: Network,
    pictures: Sequence[Array] = (),
    watch: Callable[[Sequence[Node]], Iterable[Node]] = iter,
) -> Weights:
    """Return the weights that a user asked for.

    Parameters
    ----------
    spec
        ``auto``: the network's trained weights where they are in the folder of
        `chainer_style.weights.folder.models`, else self-taught ones; ``caffe``: the
        trained ones there or none; ``self-taught``, ``seeded``, either with ``:SEED``
        behind it; or the name of an HDF5 file or a ``.caffemodel``.
    network
        The graph they must fit; layers that it lacks are not read.
    pictures
        What self-taught weights are learned from: in network units, each of shape
        (1, 3, height, width). What was learned before is read from
        `chainer_style.weights.cache`.
    watch
        Passes the nodes on while weights are learned, and may show how far it is.

    Raises
    ------
    UserError
        If there is no such file, or it does not fit the network.
    """
    # Imported late: each reader brings its own library.
    spec = _resolved(spec, network)
    kind, _, seed = spec.partition(":")
    path = Path(spec)
    if kind == "seeded" and not path.exists():
        from chainer_style.weights import seeded

        return seeded.generate(network, _seed(spec, seed))
    if kind == "self-taught" and not path.exists():
        from chainer_style.weights import cache

        if not pictures:
            raise UserError("self-taught weights are learned from pictures; give some")
        return cache.self_taught(network, pictures, _seed(spec, seed), watch)
    if path.suffix in (".h5", ".hdf5"):
        from chainer_style.weights import store

        return store.load(path, network)
    from chainer_style.weights import caffe

    return caffe.load(path, network)


def _resolved(spec: str, network: Network) -> str:
    """Return what a name that depends on the folder of weights stands for."""
    from chainer_style.weights import folder

    if spec not in ("auto", "caffe") or Path(spec).is_file():
        return spec
    if found := folder.trained(network.name):
        return str(found)
    if spec == "auto":
        return "self-taught"
    raise folder.missing(network.name, network.title)


def _seed(spec: str, seed: str) -> int:
    try:
        value = int(seed or 0)
    except ValueError:
        value = -1
    if not 0 <= value < 2**32:
        kind = spec.partition(":")[0]
        raise UserError(
            f"cannot understand the weights {spec!r}; expected {kind}, or {kind}:SEED "
            "with a whole number from 0 to 4294967295, or a file"
        )
    return value
