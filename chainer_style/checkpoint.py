"""A run that was stopped, on disk: all that its next iterations depend on.

A file of NumPy (``.npz``) with the picture and Adam's moments in float32, and with what
tells whose they are.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainer_style.engines.base import State, all_finite
from chainer_style.errors import UserError
from chainer_style.files import replacing
from chainer_style.images import Array
from chainer_style.protocols import Protocol
from chainer_style.weights import Weights

FORMAT = 1
"""Version of the file's layout."""

NAME = "checkpoint.npz"
"""What the file is called in the folder of a run."""

FREE = ("snapshot_every", "weights")
"""Settings that another run may have: no picture depends on them, or on their spelling
alone."""

ARRAYS = ("image", "first", "second")
"""The arrays of a `State`."""

Identity = Mapping[str, Any]
"""What a checkpoint belongs to; of plain values, as JSON has them."""


@dataclass(frozen=True)
class Checkpoint:
    """A run as it stood after an iteration.

    Attributes
    ----------
    identity
        What it belongs to.
    scale
        Number of the scale that it was at.
    done
        Number of iterations until then, at all scales together.
    state
        Picture and moments.
    record
        What was noted of those iterations, of plain values.
    """

    identity: Identity
    scale: int
    done: int
    state: State
    record: Sequence[Mapping[str, Any]] = ()

    def check(self, path: Path, identity: Identity) -> None:
        """Refuse to go on with anything else than what it belongs to.

        Parameters
        ----------
        path
            Where it was read from.
        identity
            What is to be gone on with, or a part of it.

        Raises
        ------
        UserError
            Naming the first difference.
        """
        for name, value in _plain(identity).items():
            if (there := self.identity.get(name)) != value:
                difference = _difference(name, there, value)
                raise UserError(
                    f"{path} belongs to another run: {difference}; start as that run "
                    "was started, or leave --resume out"
                )


def _difference(name: str, there: Any, here: Any) -> str:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in here:
            if there.get(key) != here[key]:
                return _difference(
                    f"{name} {key}".replace("_", " "),
                    *(values.get(key) for values in (there, here)),
                )
    return f"{name} is {there} there, {here} here"


def of_settings(protocol: Protocol, scales: Sequence[Protocol], seed: int) -> Identity:
    """Return the part of an identity that is known before any picture is read."""
    fields = dataclasses.asdict(protocol)
    return {
        "protocol": {key: fields[key] for key in fields if key not in FREE},
        "scales": [(scale.width, scale.iterations) for scale in scales],
        "seed": seed,
    }


def of_pictures(content: Array, style: Array) -> Identity:
    """Return the part that the pictures decide, in network units."""
    size = {"height": content.shape[2], "width": content.shape[3]}
    checksums = {"content": zlib.crc32(content.data), "style": zlib.crc32(style.data)}
    return {"size": size, "checksum": checksums}


def of_weights(weights: Weights) -> Identity:
    """Return the part that the weights decide, wherever they were read from."""
    record = weights.as_record()
    return {"weights": {key: record[key] for key in ("network", "kind", "sha256")}}


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    about = {
        "format": FORMAT,
        "identity": checkpoint.identity,
        "scale": checkpoint.scale,
        "done": checkpoint.done,
        "moments": checkpoint.state.done,
        "scheduled": checkpoint.state.scheduled,
        "record": checkpoint.record,
    }
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    arrays = {name: getattr(checkpoint.state, name) for name in ARRAYS}
    with replacing(path) as temporary:
        np.savez(temporary, about=text, allow_pickle=False, **arrays)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    UserError
        If there is none, or it is damaged.
    """
    try:
        # Opened here: NumPy leaves a damaged file open.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            arrays = {name: file[name] for name in ARRAYS}
        if about["format"] != FORMAT:
            raise UserError(
                f"{path} is of format {about['format']}, this program reads {FORMAT}; "
                "start anew without --resume"
            )
        state = State(**arrays, done=about["moments"], scheduled=about["scheduled"])
        found = Checkpoint(
            about["identity"], about["scale"], about["done"], state, about["record"]
        )
    except FileNotFoundError:
        raise UserError(
            f"no checkpoint to go on from: {path}; one is left by --checkpoint"
        ) from None
    except (
        *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        raise UserError(f"cannot read the checkpoint {path}: {error}") from None
    _check_arrays(path, found)
    return found


def _check_arrays(path: Path, found: Checkpoint) -> None:
    if not 0 <= found.scale < len(found.identity["scales"]):
        raise UserError(f"cannot read the checkpoint {path}: no scale {found.scale}")
    size = found.identity["size"]
    shape = 1, 3, size["height"], size["width"]
    for name in ARRAYS:
        array = getattr(found.state, name)
        if array.shape != shape or array.dtype != np.float32 or not all_finite(array):
            raise UserError(
                f"cannot read the checkpoint {path}: its {name} is not {shape} "
                "finite numbers of float32"
            )


def _plain(identity: Identity) -> dict[str, Any]:
    """Return an identity as it is after it was written and read."""
    found: dict[str, Any] = json.loads(json.dumps(identity))
    return found
