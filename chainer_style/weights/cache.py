"""A cache of self-taught weights: what was learned once is read the next time.

The same pictures give the same weights, so those are kept, each in a store of its own
(`chainer_style.weights.store`) whose name is a checksum of all that they depend on.
Nothing depends on the cache but time: what is missing, damaged or cannot be read is
learned again, and what cannot be written is not kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
import platform
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import chainer
import numpy as np

from chainer_style import __version__, functions, provenance
from chainer_style.errors import UserError
from chainer_style.files import cache_folder, make_folder
from chainer_style.networks import Network
from chainer_style.networks.nodes import Node
from chainer_style.weights import layerwise, selftaught, store
from chainer_style.weights.collection import Weights
from chainer_style.weights.layerwise import Matrix

LARGEST = 512 * 2**20
"""Most bytes of weights that are kept: sixteen times those of VGG-16.

What was used longest ago goes first.
"""

OURS = re.compile(r"[0-9a-f]{64}\.h5|\.[0-9a-f]{64}\.\d+\.h5")
"""Names of what may be removed: weights, and what a killed process left of them."""


def home() -> Path:
    """Return the folder of learned weights, whether it exists or not.

    ``self-taught`` within ``$CHAINER_STYLE_CACHE`` if that is set, else within the
    package's part of the user's cache.
    """
    return cache_folder() / "self-taught"


def self_taught(
    network: Network,
    pictures: Sequence[Matrix],
    seed: int = 0,
    watch: Callable[[Sequence[Node]], Iterable[Node]] = iter,
) -> Weights:
    """Return what `selftaught.learn` returns, bit by bit; learn it only once.

    Parameters
    ----------
    network, pictures, seed, watch
        As `selftaught.learn` takes them. Nothing is watched where nothing is learned.
    """
    about = selftaught.describe(network, pictures, seed)
    path = home() / f"{_key(network, about)}.h5"
    found = _load(path, network)
    if found is not None and found.as_record() == about.as_record():
        with contextlib.suppress(OSError):
            os.utime(path)
        return found
    learned = selftaught.learn(network, pictures, seed, watch)
    with contextlib.suppress(UserError, OSError):
        make_folder(path.parent)
        store.save(learned, path)
        _tidy(path.parent)
    return learned


def _key(network: Network, about: Weights) -> str:
    """Return a checksum of all that self-taught weights depend on."""
    parts = {
        "about": about.as_record(),
        "network": repr(network),
        "constants": _constants(),
        "code": _code(),
        "arithmetic": _arithmetic(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _constants() -> dict[str, float]:
    return {
        name: value
        for module in (layerwise, selftaught)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float)
    }


def _code() -> list[str]:
    """Return the recipe itself: no version that one could forget to raise."""
    try:
        return [inspect.getsource(m) for m in (layerwise, selftaught, functions)]
    except OSError:  # installed without its sources
        return [__version__]


def _arithmetic() -> list[Any]:
    """Return what decides the last bits; number of threads and processor do too."""
    versions = [chainer.__version__, np.__version__, platform.machine()]
    return [*versions, provenance.cpu_model(), provenance.blas()]


def _load(path: Path, network: Network) -> Weights | None:
    try:
        return store.load(path, network)
    except (UserError, OSError):
        return None


def _tidy(folder: Path) -> None:
    """Remove what was used longest ago, until the rest is small enough."""
    entries = [
        (status.st_mtime_ns, status.st_size, path)
        for path in folder.iterdir()
        if OURS.fullmatch(path.name) and (status := path.stat())
    ]
    total = 0
    for _, size, path in sorted(entries, reverse=True):
        total += size
        if total > LARGEST:
            path.unlink(missing_ok=True)
