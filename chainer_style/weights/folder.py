"""The folder of trained weights, and what of them lies there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

import chainer_style
from chainer_style.errors import UserError
from chainer_style.files import named_folder
from chainer_style.weights import registry
from chainer_style.weights.registry import Original

VARIABLE = "CHAINER_STYLE_MODELS"
"""Environment variable that names another folder."""

PART = ".part"
"""Ending of a download that is not complete."""

Kind = Literal["converted", "damaged", "original", "partial", "absent"]


@dataclass(frozen=True)
class State:
    """What there is of an original.

    Attributes
    ----------
    kind
        ``converted`` counts more than ``original``, and that more than ``partial``.
    size
        Bytes of the file that there is.
    """

    kind: Kind
    size: int = 0


def models() -> Path:
    """Return the folder of trained weights, whether it exists or not.

    ``$CHAINER_STYLE_MODELS`` if it is set; else ``models`` in the checkout that the
    package runs from; else, for an installed package, a folder of the user's.
    """
    if named := named_folder(VARIABLE):
        return named
    checkout = Path(chainer_style.__file__).parents[1] / "models"
    if (checkout / "README.rst").is_file():
        return checkout
    return platformdirs.user_data_path("chainer-style", appauthor=False) / "models"


def shown(path: Path) -> str:
    """Return a path to print: from the current folder, where it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def store_of(network: str, home: Path) -> Path:
    """Return where the converted weights of a network belong."""
    return home / f"{network}.h5"


def trained(network: str, home: Path | None = None) -> Path | None:
    """Return the file of a network's trained weights that there is, if any.

    The converted file first, then one converted by hand beside its original, then
    a ``.caffemodel``.
    """
    home = home or models()
    return next((path for path in _candidates(network, home) if path.is_file()), None)


def _candidates(network: str, home: Path) -> Iterator[Path]:
    yield store_of(network, home)
    for original in registry.ORIGINALS:
        if original.network == network and original.layout == "caffe":
            path = home / original.name
            yield path.with_suffix(".h5")
            yield path


def missing(network: str, title: str) -> UserError:
    """Return what to say where a network's trained weights are not there."""
    if network not in registry.names():
        return UserError(
            f"no trained weights of {title} are published; name a file with --weights, "
            "or use seeded or self-taught ones"
        )
    return UserError(
        f"there are no trained weights of {title} in {shown(models())}; "
        f"fetch them with: chainer-style weights fetch {network}"
    )


def state(original: Original, home: Path) -> State:
    """Return what there is of an original."""
    # Imported here: listing an empty folder needs no HDF5.
    store_path = store_of(original.network, home)
    if store_path.is_file():
        from chainer_style.weights import store

        try:
            with store.opened(store_path) as file:
                source = file.about.source
        except UserError:
            return State("damaged", store_path.stat().st_size)
        if source == original.name:
            return State("converted", store_path.stat().st_size)
    path, part = home / original.name, home / (original.name + PART)
    if path.is_file():
        return State("original", path.stat().st_size)
    if part.is_file():
        return State("partial", part.stat().st_size)
    return State("absent")
