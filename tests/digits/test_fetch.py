from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import idx_files
import pytest
from http_server import Item, Server, serving
from published import Notes, files

from chainer_style.digits import folder
from chainer_style.digits.fetch import fetch
from chainer_style.digits.published import FILES, File
from chainer_style.errors import UserError
from chainer_style.weights.download import Patience
from chainer_style.weights.registry import Mirror

HASTY = Patience(connect=1, read=1, attempts=1, pause=0)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def ours(server: Server, tmp_path: Path) -> tuple[File, ...]:
    """Entries of small files of the tests' own, at two addresses."""
    made = idx_files.write(tmp_path / "made", train=12, t10k=11)
    entries = []
    for file in FILES:
        content = (made / file.name).read_bytes()
        for mirror in ("first", "second"):
            server.items[f"/{mirror}/{file.name}"] = Item(content)
        urls = (f"{server.url}/{mirror}/{file.name}" for mirror in ("first", "second"))
        entries.append(
            dataclasses.replace(
                file,
                size=len(content),
                checksums=(("sha256", hashlib.sha256(content).hexdigest()),),
                mirrors=tuple(Mirror(url, "these tests") for url in urls),
            )
        )
    return tuple(entries)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "new" / "mnist"


def test_four_files_once(server: Server, ours, home: Path) -> None:
    notes = Notes()
    fetch(home, notes, HASTY, ours)
    assert files(home) == sorted(file.name for file in FILES)
    assert folder.halves(home) == ("train", "t10k")
    assert len(folder.read("train", home)[0]) == 12
    assert {name for name, *_ in notes.bytes} == set(files(home))
    fetch(home, notes, HASTY, ours)
    assert [path for path, _ in server.log] == [f"/first/{f.name}" for f in FILES]


def test_what_is_there_unpacked_is_not_fetched(server: Server, ours, home) -> None:
    idx_files.write(home, train=5, pack=False)
    fetch(home, Notes(), HASTY, ours)
    assert [path for path, _ in server.log] == [f"/first/{f.name}" for f in FILES[2:]]
    assert len(folder.read("train", home)[0]) == 5


def test_another_file_is_not_taken(server: Server, ours, home: Path) -> None:
    name = FILES[0].name
    content = server.items[f"/first/{name}"].content
    server.items[f"/first/{name}"] = Item(content[:-1] + b"!")
    notes = Notes()
    fetch(home, notes, HASTY, ours)
    assert hashlib.sha256((home / name).read_bytes()).hexdigest() in str(ours[0])
    assert any("has the sha256" in line for line in notes.lines)


def test_no_address(server: Server, ours, home: Path) -> None:
    server.items.clear()
    with pytest.raises(UserError, match=r"cannot be fetched \(127\.0\.0\.1: it answer"):
        fetch(home, Notes(), HASTY, ours)
    assert files(home) == []


def test_no_network_is_noticed_at_once(ours, home: Path) -> None:
    (entry, *_) = ours
    dead = dataclasses.replace(
        entry, mirrors=(Mirror("http://127.0.0.1:9/x", "these tests"),)
    )
    start = time.monotonic()
    with pytest.raises(UserError, match="cannot be reached"):
        fetch(home, files=(dead,))
    assert time.monotonic() - start < 5


def test_a_folder_that_cannot_be_written(tmp_path: Path, ours) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write to the folder"):
        fetch(tmp_path / "file" / "mnist", Notes(), HASTY, ours)
