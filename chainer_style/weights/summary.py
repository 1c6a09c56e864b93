"""What lies in a file of weights: its layers and their numbers in brief."""

from __future__ import annotations

import collections
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainer_style import networks
from chainer_style.text import aligned
from chainer_style.weights import caffe, keras, store
from chainer_style.weights.collection import LABELS, Array, Weights, printable
from chainer_style.weights.disk import existing_file, sha256
from chainer_style.weights.identify import Model, closest
from chainer_style.weights.wire import map_file, pieces

KINDS = {4: "Convolution", 2: "InnerProduct"}
"""Axes of the filters -> Caffe's name of the layer's type."""


@dataclass(frozen=True)
class ArraySummary:
    """One array of a layer, in brief.

    Attributes
    ----------
    layer, type
        Of the layer: its name, and its type as Caffe calls it.
    key
        ``W`` or ``b``, or the number of the blob from the third on.
    shape
        As in the file; of Keras' filters, turned into Caffe's order.
    size
        Number of elements.
    nbytes
        Their bytes in the file.
    minimum, mean, maximum
        Of the elements; not a number where there are none or one is not.
    """

    layer: str
    type: str
    key: str
    shape: tuple[int, ...]
    size: int
    nbytes: int
    minimum: float
    mean: float
    maximum: float


@dataclass(frozen=True)
class Summary:
    """A file of weights, in brief.

    Attributes
    ----------
    facts
        What there is to say of the whole file: what it is -> what to print.
    arrays
        Every array, in the file's order.
    without
        How many layers have no parameters, by type.
    """

    facts: Mapping[str, str]
    arrays: tuple[ArraySummary, ...]
    without: Mapping[str, int]


def summarise(path: str | os.PathLike[str]) -> Summary:
    """Read a ``.caffemodel``, a store or Keras' file of VGG, and say what lies in it.

    All numbers are looked at; memory stays small for a ``.caffemodel``, and at the
    largest layer for a store. Keras' convolutions are read as a whole.

    Raises
    ------
    UserError
        If the file cannot be read, is damaged, or is something else.
    """
    path = existing_file(path)
    # The checksum takes as long as all the rest; neither holds the lock.
    with ThreadPoolExecutor(1) as pool:
        checksum = pool.submit(sha256, path)
        found = _reader(bytes(map_file(path).data[:START]))(path)
        size = path.stat().st_size
        facts = {
            **found.facts,
            "size": f"{size / 1e6:.1f} MB ({size:,} bytes)",
            "sha256": checksum.result(),
        }
    return Summary(facts, found.arrays, found.without)


START = len(store.SIGNATURE) + 1
"""Bytes that tell a file's kind."""


def _reader(start: bytes) -> Callable[[Path], Summary]:
    if start[:-1] != store.SIGNATURE:
        return _of_caffe
    # Keras writes HDF5's first format, which is never a store.
    return _of_store if start[-1] in store.SUPERBLOCKS else _of_keras


def _of_caffe(path: Path) -> Summary:
    model = caffe.read(path)
    arrays = [
        _brief(layer.name, layer.type, _key(i), array)
        for layer in model.layers
        for i, array in enumerate(layer.blobs)
    ]
    facts = {
        "network": _network(model),
        "name": repr(model.name) if model.name else "none in the file",
        "format": f"Caffe {model.format}",
    }
    without = collections.Counter(x.type for x in model.layers if not x.encoded)
    return Summary(facts, tuple(arrays), dict(without.most_common()))


def _network(model: Model) -> str:
    network, differences = closest(model)
    if not differences:
        return network.title
    more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
    return (
        f"none that is known; {network.title} comes closest, but {differences[0]}{more}"
    )


def _of_keras(path: Path) -> Summary:
    model = keras.read(path)
    arrays = [
        _brief(layer.name, layer.type, key, array)
        for layer in model.layers
        for key, array in model.parameters[layer.name].items()
    ]
    facts = {
        "network": _network(model),
        "format": "Keras; filters height×width×in×out, shown as out×in×height×width",
    }
    return Summary(facts, tuple(arrays), {})


def _of_store(path: Path) -> Summary:
    with store.opened(path) as file:
        arrays = tuple(_of_layers(file))
        return Summary(_facts(file.about), arrays, {})


def _of_layers(file: store.Store) -> Iterator[ArraySummary]:
    for layer in file.layers:
        parameters = file.read(layer)
        axes = max((array.ndim for array in parameters.values()), default=0)
        for key, array in parameters.items():
            yield _brief(layer, KINDS.get(axes, ""), key, array)


def _facts(about: Weights) -> dict[str, str]:
    known = networks.NETWORKS.get(about.network)
    facts = {
        "network": known.title if known else f"{about.network!r}, which is not known",
        "kind": LABELS[about.kind],
        "format": f"{store.FORMAT}, version {store.VERSION}",
        "source": repr(about.source),
        "source's sha256": about.sha256,
        "seed": about.seed,
    }
    return {what: str(value) for what, value in facts.items() if value is not None}


def _key(i: int) -> str:
    return "Wb"[i] if i < 2 else str(i)


def _brief(layer: str, kind: str, key: str, array: Array) -> ArraySummary:
    low, high, total = [], [], 0.0
    with np.errstate(all="ignore"):  # whatever the file holds
        for piece in pieces(array):
            low.append(piece.min())
            high.append(piece.max())
            total += float(piece.sum(dtype=np.float64))
        numbers = (
            (float(np.min(low)), total / array.size, float(np.max(high)))
            if array.size
            else (math.nan,) * 3
        )
    return ArraySummary(
        layer, kind, key, array.shape, array.size, array.nbytes, *numbers
    )


# -- as text --------------------------------------------------------------

HEAD = ("layer", "type", "", "shape", "parameters", "bytes", "min", "mean", "max")
LEFT = 4
"""How many of the columns are words, not numbers."""


def render(summary: Summary) -> str:
    """Return a summary as an aligned text."""
    width = max(map(len, summary.facts))
    lines = [f"{what:<{width}}  {value}" for what, value in summary.facts.items()]
    lines += ["", *aligned([HEAD, *_rows(summary.arrays)], LEFT)]
    if summary.without:
        counts = ", ".join(
            f"{printable(kind) or 'no type'} {n}" for kind, n in summary.without.items()
        )
        total = sum(summary.without.values())
        lines += ["", f"layers without parameters: {total} ({counts})"]
    return "\n".join(lines)


def _rows(arrays: Iterable[ArraySummary]) -> Iterator[tuple[str, ...]]:
    layers = parameters = nbytes = 0
    before = None
    for a in arrays:
        first = (a.layer, a.type) != before or a.key == _key(0)
        before = (a.layer, a.type)
        layers += first
        parameters += a.size
        nbytes += a.nbytes
        yield (
            *((printable(a.layer), printable(a.type)) if first else ("", "")),
            a.key,
            "×".join(map(str, a.shape)) or "scalar",
            f"{a.size:,}",
            f"{a.nbytes:,}",
            *(f"{value:.4g}" for value in (a.minimum, a.mean, a.maximum)),
        )
    title = f"{layers} layer{'s' * (layers != 1)}"
    yield ("total", title, "", "", f"{parameters:,}", f"{nbytes:,}", "", "", "")
