"""What must be true of a reader, whatever it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from chainer_style.errors import UserError
from chainer_style.weights import caffe, store

REASONS = (
    *("a number that is cut off", "a number of over", "impossible field number"),
    *("unknown wire type", "are left", "not UTF-8", "a name of", "more than"),
    *("an array of", "has over", "the impossible shape", "takes", "no layer up to"),
    *("begins at byte", "is empty", "a Caffe of 2013"),
)
"""Parts of the Caffe reader's messages, by which refusals are counted."""

STORE_REASONS = (
    *("is not an HDF5 file", "of another kind", "a newer chainer-style"),
    *("is missing or not", "unknown kind", "there never was", "should be"),
    *("is not a layer", "is not an array of float32", "larger than the whole file"),
    *("the checksum of", "is damaged"),
)
"""The same for stores; last what HDF5 itself finds."""


def _refused(error: UserError, path: Path, reasons: tuple[str, ...]) -> str:
    """Check a refusal, and return what kind it is."""
    message = str(error)
    assert message.isprintable(), f"not one printable line: {message!r}"
    assert str(path) in message, f"does not name the file: {message}"
    reason = next((part for part in reasons if part in message), "other")
    return f"{type(error).__name__}: … {reason} …"


def caffe_verdict(path: Path, messages: Any) -> str:
    """Read all of a model, or be refused; compare with protobuf.

    Parameters
    ----------
    path
        The file.
    messages
        Protobuf's ``caffe_pb2``.

    Returns
    -------
    str
        ``read``, or the kind of the refusal.
    """
    try:
        model = caffe.read(path)
        blobs = [layer.blobs for layer in model.layers]
    except UserError as error:
        return _refused(error, path, REASONS)
    content = path.read_bytes()
    held = {id(a.base): a.nbytes for arrays in blobs for a in arrays}
    assert all(size <= 2 * len(content) for size in held.values())
    _compare(model, blobs, content, messages)
    return "read"


def _compare(model: caffe.CaffeModel, blobs: Any, content: bytes, pb: Any) -> None:
    from google.protobuf.message import DecodeError

    try:
        net = pb.NetParameter.FromString(content)
    except DecodeError:
        return  # it also looks into messages that do not concern weights
    theirs = net.layers or net.layer
    assert [layer.name for layer in model.layers] == [layer.name for layer in theirs]
    for arrays, layer in zip(blobs, theirs, strict=True):
        for array, blob in zip(arrays, layer.blobs, strict=True):
            expected = np.array(blob.double_data or blob.data, array.dtype)
            np.testing.assert_array_equal(array.ravel(), expected)


def store_verdict(path: Path) -> str:
    """Read all of a store, or be refused; see `caffe_verdict`."""
    try:
        weights = store.load(path)
    except UserError as error:
        return _refused(error, path, STORE_REASONS)
    for parameters in weights.arrays.values():
        for array in parameters.values():
            assert array.dtype == np.float32
            assert (array == 1).all()  # as in every store that is written here
    return "read"
