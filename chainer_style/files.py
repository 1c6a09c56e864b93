"""Files that are either there and whole, or not there."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs

from chainer_style.errors import UserError

CACHE = "CHAINER_STYLE_CACHE"
"""Environment variable that names another folder for what is kept to save time."""

COMPILED = "kernels"
"""Folder in it of the compiled kernels of engine ``cpu``."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; it takes the file's name at the end.

    The temporary file lies in the same folder and keeps the suffix. If the
    block raises, it is removed and `path` stays as it was.

    Raises
    ------
    UserError
        If the system refuses to write there.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def named_folder(variable: str) -> Path | None:
    """Return the folder that an environment variable names, or None.

    Raises
    ------
    UserError
        If it begins with the home of a user that there is not.
    """
    if not (named := os.environ.get(variable)):
        return None
    try:
        return Path(named).expanduser()
    except RuntimeError as error:
        raise UserError(f"cannot use {variable}={named}: {error}") from error


def make_folder(path: Path) -> None:
    """Create a folder with its parents and see that it can be written to.

    Raises
    ------
    UserError
        If it cannot be created or written to.
    """
    with _writing_to(path):
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()


def check_folder(path: Path) -> None:
    """See that `make_folder` can do its work later; create nothing.

    Raises
    ------
    UserError
        If it cannot.
    """
    with _writing_to(path):
        there = next(p for p in (path, *path.absolute().parents) if p.exists())
        tempfile.TemporaryFile(dir=there).close()


@contextlib.contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write to the folder {folder}: {error.strerror}; choose another"
        ) from None


def write_json(path: Path, document: Any) -> None:
    """Write a document as JSON, readable by people, whole or not at all."""
    with replacing(path) as temporary:
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def cache_folder() -> Path:
    """Return the folder of what is kept to save time, whether it exists or not.

    `CACHE` names it; else it is the package's part of the user's cache.
    """
    return named_folder(CACHE) or platformdirs.user_cache_path(
        "chainer-style", appauthor=False
    )
