from __future__ import annotations

import json

import caffe_files
import published
import pytest
from http_server import Item, Server
from published import check, files

from chainer_style.errors import UserError
from chainer_style.weights import pins

CAFFE = published.caffemodel()
OTHER = published.caffemodel(seed=1)
NAME = "small_layers.caffemodel"


@pytest.fixture
def unpublished(server: Server, publish) -> Server:
    """The same without a published checksum or an exact size."""
    server.items["/f"] = Item(CAFFE)
    publish(
        published.original(
            CAFFE, server.url + "/f", checksums=(), size=30000, is_size_exact=False
        )
    )
    return server


def test_the_first_file_is_pinned(unpublished, get, home, notes) -> None:
    check(get())
    found = json.loads((home / pins.FILE).read_text())
    sha256 = dict(published.original(CAFFE).checksums)["sha256"]
    assert found == {NAME: sha256}
    expected = sum(a.size for p in published.arrays().values() for a in p.values())
    assert any(f"{expected:,} parameters in their" in line for line in notes.lines)


def test_another_file_later_is_refused_until_accepted(unpublished, get, home) -> None:
    get()
    (home / "small.h5").unlink()
    unpublished.items["/f"] = Item(OTHER, tag='"2"')
    with pytest.raises(UserError, match=r"not the file first seen here.*--accept"):
        get()
    assert files(home) == ["pinned.json"]
    check(get(accept=True), seed=1)
    (home / "small.h5").unlink()
    check(get(), seed=1)


def test_another_file_placed_by_hand_is_refused_too(unpublished, get, home) -> None:
    get()
    (home / "small.h5").unlink()
    (home / NAME).write_bytes(OTHER)
    with pytest.raises(UserError, match="not the file first seen here"):
        get()
    assert (home / NAME).read_bytes() == OTHER
    check(get(accept=True), seed=1)


@pytest.mark.parametrize("damage", ["part", "more", "shape", "html", "empty"])
def test_every_shape_is_compared(unpublished, get, home, damage: str) -> None:
    arrays = published.arrays()
    if damage == "part":
        del arrays["fc"]
    elif damage == "more":
        arrays["fc2"] = arrays["fc"]
    elif damage == "shape":
        arrays["fc"]["b"] = arrays["fc"]["b"][:-1]
    content = caffe_files.model_of(arrays)
    content = {"html": b"<!DOCTYPE html>", "empty": b""}.get(damage, content)
    unpublished.items["/f"] = Item(content)
    with pytest.raises(UserError, match=r"127\.0\.0\.1: its file"):
        get()
    assert files(home) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}'])
def test_damaged_pins_stop_it(unpublished, get, home, text: str) -> None:
    (home / "pinned.json").write_text(text)
    with pytest.raises(UserError, match=r"pinned\.json is damaged; delete it"):
        get()
