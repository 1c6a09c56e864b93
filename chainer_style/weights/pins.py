"""Checksums of files that nobody published a checksum of: the first one seen.

They are kept in ``pinned.json`` beside the files.
"""

from __future__ import annotations

import json
from pathlib import Path

from chainer_style.errors import UserError
from chainer_style.files import write_json
from chainer_style.weights.folder import shown

FILE = "pinned.json"
"""Name of the file: a JSON object of names and SHA-256 checksums."""


def pinned(name: str, home: Path) -> str | None:
    """Return the checksum that a file had when it was first seen, if it was.

    Raises
    ------
    UserError
        If the file of checksums is damaged.
    """
    return _read(home).get(name)


def pin(name: str, sha256: str, home: Path) -> None:
    """Keep the checksum of a file.

    Raises
    ------
    UserError
        If it cannot be written, or what is there is damaged.
    """
    write_json(home / FILE, {**_read(home), name: sha256})


def _read(home: Path) -> dict[str, str]:
    path = home / FILE
    try:
        pins = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        pins = None
    if isinstance(pins, dict) and all(isinstance(v, str) for v in pins.values()):
        return pins
    raise UserError(
        f"{shown(path)} is damaged; delete it, and the next fetch begins it anew"
    )
