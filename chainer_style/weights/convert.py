"""From Caffe's or Keras' file to the package's own store."""

from __future__ import annotations

import os
from pathlib import Path

from chainer_style.errors import UserError
from chainer_style.networks import Network
from chainer_style.weights import caffe, keras, registry, store
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
    """Write the weights of another program's file to a store, and return them.

    Parameters
    ----------
    source
        The ``.caffemodel``, or Keras' file of VGG-16 or VGG-19 without its top.
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
    reader = keras if is_hdf5(source) else caffe
    if network is None:
        network = recognise(reader.read(source), str(source))
    weights: Weights = reader.load(source, network if whole else network.upto_taps())
    store.save(weights, target)
    return weights


def default_target(source: Path) -> Path:
    """Return where to write what a source is converted to, unless told otherwise.

    The source's name with ``.h5``; where it has that already, the network's name.
    """
    if source.suffix != ".h5":
        return source.with_suffix(".h5")
    original = registry.by_file(source.name)
    return source.with_stem(original.network if original else f"{source.stem}-new")


def is_hdf5(path: Path) -> bool:
    """Return whether a file begins as HDF5 does.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(store.SIGNATURE)) == store.SIGNATURE
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
