"""From a ``.caffemodel`` to the package's own store."""

from __future__ import annotations

import os
from pathlib import Path

from chainer_style.errors import UserError
from chainer_style.networks import Network
from chainer_style.weights import caffe, store
from chainer_style.weights.collection import Weights
from chainer_style.weights.disk import existing_file
from chainer_style.weights.identify import recognise


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    network: Network | None = None,
    *,
    whole: bool = False,
) -> Weights:
    """Write the weights of a ``.caffemodel`` to a store, and return them.

    Parameters
    ----------
    source
        The ``.caffemodel``.
    target
        The store to write.
    network
        The network that the source holds. If None, it is recognised.
    whole
        Keep every layer; otherwise the part up to the last tap, which is all
        that a style transfer uses: 31 MB of VGG-16's 553.

    Raises
    ------
    UserError
        If the source cannot be read or holds other layers, or the target
        cannot be written.
    """
    source, target = existing_file(source), Path(target)
    if target.exists() and target.samefile(source):
        raise UserError(f"{target} is the file to convert; choose another to write")
    if network is None:
        network = recognise(caffe.read(source), str(source))
    weights = caffe.load(source, network if whole else network.upto_taps())
    store.save(weights, target)
    return weights
