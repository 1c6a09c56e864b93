"""Files of weights as they lie on the disk."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from chainer_style.errors import UserError


def existing_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that is there.

    Raises
    ------
    UserError
        If there is nothing, or something else than a file.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; name the file of weights itself")
    if not path.exists():
        raise UserError(f"there is no file {path}; check its name and folder")
    if not path.is_file():
        raise UserError(f"{path} is not a regular file; copy the weights to one")
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, in one pass and constant memory.

    Raises
    ------
    UserError
        If the file cannot be read.
    """
    return digest(path, "sha256")


def digest(path: Path, algorithm: str) -> str:
    """Checksum of a file in hexadecimal, in one pass and constant memory.

    Parameters
    ----------
    path
        The file.
    algorithm
        A name that `hashlib.new` knows.

    Raises
    ------
    UserError
        If the file cannot be read.
    """

    def start() -> Any:
        # It finds damage; where MD5 is forbidden, it is forbidden for secrets.
        return hashlib.new(algorithm, usedforsecurity=False)

    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, start).hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
