"""Whether files of trained weights are what they should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chainer_style.errors import UserError
from chainer_style.networks import NETWORKS, Network
from chainer_style.weights import caffe, pins, registry, store
from chainer_style.weights.collection import compare, count
from chainer_style.weights.disk import digest, existing_file, sha256
from chainer_style.weights.folder import shown, store_of
from chainer_style.weights.identify import recognise
from chainer_style.weights.registry import Original, Published


@dataclass(frozen=True)
class Verdict:
    """What was found of a file.

    Attributes
    ----------
    path
        The file.
    text
        What was compared, or what is wrong.
    is_good
        Whether nothing is wrong.
    is_changed
        Whether it is another file than the one first seen under this name.
    """

    path: Path
    text: str
    is_good: bool = True
    is_changed: bool = False


def everything(home: Path) -> Iterator[Verdict]:
    """Look at every file of published weights, and every store, in a folder."""
    for path in sorted(home.glob("*.h5")) if home.is_dir() else ():
        if registry.by_file(path.name) is None and not path.name.startswith("."):
            yield of_file(path)
    for original in registry.ORIGINALS:
        if (path := home / original.name).is_file():
            yield of_original(path, original, home)


def of_name(name: str, home: Path) -> Iterator[Verdict]:
    """Look at what there is of a network in a folder: its store and its originals.

    Raises
    ------
    UserError
        If no weights have that name.
    """
    originals = registry.find(name)
    path = store_of(originals[0].network, home)
    paths = [path] if path.is_file() else []
    paths += [home / o.name for o in originals if (home / o.name).is_file()]
    for path in paths:
        yield of_file(path)
    if not paths:
        network = originals[0].network
        text = f"is not there; fetch it with: chainer-style weights fetch {network}"
        yield Verdict(path, text, is_good=False)


def of_file(path: Path) -> Verdict:
    """Look at one file: a store, an original, or a ``.caffemodel`` of any name.

    Raises
    ------
    UserError
        If there is no such file.
    """
    path = existing_file(path)
    if original := registry.by_file(path.name):
        return of_original(path, original, path.parent)
    try:
        if path.suffix in (".h5", ".hdf5"):
            return Verdict(path, _store(path))
        network = recognise(caffe.read(path), shown(path))
    except UserError as error:
        return Verdict(path, _without_name(error, path), is_good=False)
    text = f"{network.title} by its shapes; no checksum of this name is published"
    return Verdict(path, f"{text}, its sha256 is {sha256(path)}")


def of_original(path: Path, original: Original, home: Path) -> Verdict:
    """Compare a file with what is published of it.

    Size and checksums; where no checksum is published, every shape of the network,
    and the checksum that was first seen in this folder.

    Parameters
    ----------
    path
        The file, under whatever name.
    original
        What it should be.
    home
        The folder with the checksums first seen.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    verdict = of_published(path, original)
    if original.checksums or not verdict.is_good:
        return verdict
    try:
        number = check_shapes(path, NETWORKS[original.network])
    except UserError as error:
        return Verdict(path, _without_name(error, path), is_good=False)
    found, first = sha256(path), pins.pinned(original.name, home)
    if first not in (None, found):
        text = f"is not the file first seen here: its sha256 is {found}, not {first}"
        return Verdict(path, text, is_good=False, is_changed=True)
    return Verdict(path, f"{number:,} parameters in their shapes, sha256 {found}")


def of_published(path: Path, published: Published) -> Verdict:
    """Compare a file's size and checksums with what is published of it.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    size = path.stat().st_size
    if published.is_size_exact and size != published.size:
        text = f"has {size:,} bytes, not {published.size:,}"
        return Verdict(path, text, is_good=False)
    for algorithm, expected in published.checksums:
        found = digest(path, algorithm)
        if found != expected:
            text = f"has the {algorithm} {found}, not {expected}"
            return Verdict(path, text, is_good=False)
    return Verdict(path, _and("size", *(a for a, _ in published.checksums)))


def check_shapes(path: Path, network: Network) -> int:
    """Compare every layer of a ``.caffemodel`` with a network's, top included.

    Returns
    -------
    int
        The number of parameters.

    Raises
    ------
    UserError
        If the file is damaged, or a layer is missing, of another shape, or too many.
    """
    arrays = caffe.read(path).arrays()
    shapes = network.parameter_shapes()
    differences = [
        *compare(shapes, arrays),
        *(f"it has no layer {layer}" for layer in arrays if layer not in shapes),
    ]
    if differences:
        raise UserError(f"{path} is not {network.title}: {'; '.join(differences[:3])}")
    found = sum(array.size for layer in arrays.values() for array in layer.values())
    if found != (expected := count(shapes)):
        raise UserError(f"{path} has {found:,} parameters, not {expected:,}")
    return found


def _store(path: Path) -> str:
    """Read a store to its end, and say what was compared."""
    weights = store.load(path)
    network = NETWORKS.get(weights.network)
    if network is not None:
        weights.for_network(network.upto_taps())
    original = registry.by_file(weights.source)
    published = dict(original.checksums).get("sha256") if original else None
    if published and weights.sha256 != published:
        raise UserError(
            f"{path} was made from another {weights.source} than the published one: "
            f"its sha256 was {weights.sha256}, not {published}"
        )
    title = network.title if network else weights.network
    return f"{title}, {weights.label}, from {weights.source}: shapes and CRC-32"


def _without_name(error: UserError, path: Path) -> str:
    """Return what an error says of a file, whose name is printed before it."""
    return str(error).removeprefix(f"{path} ").removeprefix(f"{shown(path)} ")


def _and(*words: str) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
