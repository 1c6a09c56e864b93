from __future__ import annotations

import errno
import math
import shutil
import threading
from collections import namedtuple
from pathlib import Path

import filelock
import published
import pytest
from http_server import Item, Server
from published import Notes, check, files

from chainer_style.errors import UserError
from chainer_style.networks import NETWORKS
from chainer_style.weights import fetch as module
from chainer_style.weights import folder, store
from chainer_style.weights.download import Patience
from chainer_style.weights.fetch import Wish, fetch

CAFFE = published.caffemodel()
OTHER = published.caffemodel(seed=1)
NAME = "small_layers.caffemodel"
KERAS = "small_notop.h5"
PART = published.NETWORK.upto_taps().parameter_shapes()
STORE = 4 * sum(math.prod(s) for layer in PART.values() for s in layer.values())
"""Bytes of the converted file's numbers."""


@pytest.fixture
def one(server: Server, publish) -> Server:
    """The file of Caffe at one address."""
    server.items["/f"] = Item(CAFFE)
    publish(published.original(CAFFE, server.url + "/f"))
    return server


# -- the good case --------------------------------------------------------


def test_fetch_checks_converts_and_drops(one, get, home, notes) -> None:
    path = get()
    assert path == home / "small.h5"
    assert files(home) == ["small.h5"]
    check(path)
    assert store.load(path).source == NAME
    assert notes.bytes[0] == (NAME, 0, len(CAFFE))
    assert notes.bytes[-1] == (NAME, len(CAFFE), len(CAFFE))
    said = "\n".join(notes.lines)
    size = f"{len(CAFFE) / 1e6:.1f} MB"
    assert f"{NAME}: {size} to download, {STORE / 1e6:.1f} MB to keep" in said
    assert "checked, size, sha256 and sha1" in said
    assert "was dropped (--keep keeps it)" in said


def test_keep(one, get, home, notes) -> None:
    get(keep=True)
    assert f"{(len(CAFFE) + STORE) / 1e6:.1f} MB to keep" in notes.lines[0]
    assert files(home) == ["small.h5", NAME]
    assert (home / NAME).read_bytes() == CAFFE


def test_what_is_there_is_not_fetched(one, get, notes) -> None:
    first = get()
    assert get() == first
    assert len(one.log) == 1
    assert notes.lines[-1].endswith("is there already")


def test_keep_fetches_the_original_that_was_dropped(one, get, home) -> None:
    get()
    get(keep=True)
    assert files(home) == ["small.h5", NAME]
    get(keep=True)
    assert len(one.log) == 2


def test_a_damaged_store_is_made_anew(one, get, notes) -> None:
    path = get()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    check(get())
    assert any("is damaged" in line for line in notes.lines)


def test_an_original_that_lies_there_is_converted_and_stays(
    one, get, home, notes
) -> None:
    (home / NAME).write_bytes(CAFFE)
    check(get())
    assert files(home) == ["small.h5", NAME]
    assert one.log == []
    assert any("is there already: size, sha256" in line for line in notes.lines)


def test_a_wrong_original_is_fetched_again(one, get, home, notes) -> None:
    (home / NAME).write_bytes(OTHER)
    check(get())
    assert any("has the sha256" in line for line in notes.lines)
    assert len(one.log) == 1


def test_a_network_without_graph_keeps_its_original(
    one, get, home, notes, monkeypatch
) -> None:
    monkeypatch.delitem(NETWORKS, "small")
    assert get() == home / NAME
    assert files(home) == [NAME]
    assert "this version has no small" in notes.lines[-1]
    assert get() == home / NAME
    assert len(one.log) == 1


def test_a_files_own_name_will_do(one, get) -> None:
    check(get(NAME))


# -- several files and addresses ------------------------------------------


@pytest.fixture
def both(server: Server, publish, tmp_path: Path) -> Server:
    """Keras' file first, then Caffe's, as for VGG."""
    published.write_keras(tmp_path / "k.h5", published.arrays())
    content = (tmp_path / "k.h5").read_bytes()
    server.items |= {"/k": Item(content), "/f": Item(CAFFE)}
    publish(
        published.original(
            content, server.url + "/k", layout="keras", name=KERAS, checksums=("md5",)
        ),
        published.original(CAFFE, server.url + "/f"),
    )
    return server


def test_the_small_file_is_preferred(both, get, home, notes) -> None:
    path = get()
    check(path)
    assert store.load(path).source == KERAS
    assert files(home) == ["small.h5"]
    assert f"{KERAS}: checked, size and md5" in notes.lines


def test_a_source_of_ones_own(both, get) -> None:
    path = get(layout="caffe")
    assert store.load(path).source == NAME
    assert [path for path, _ in both.log] == ["/f"]


def test_another_source_replaces_the_store(both, get) -> None:
    get()
    assert store.load(get(layout="caffe")).source == NAME
    assert store.load(get()).source == NAME
    assert len(both.log) == 2


def test_the_other_source_is_taken_where_the_first_is_dead(both, get, notes) -> None:
    del both.items["/k"]
    assert store.load(get()).source == NAME
    assert "127.0.0.1: it answers 404 Not Found" in notes.lines


def test_mirrors_in_their_order(server, publish, get, notes) -> None:
    server.items |= {
        "/gone": Item(status=[410]),
        "/short": Item(CAFFE[:-5]),
        "/wrong": Item(OTHER),
        "/stalls": Item(CAFFE, stall=0),
        "/good": Item(CAFFE),
        "/unused": Item(CAFFE),
    }
    urls = [server.url + path for path in server.items]
    publish(published.original(CAFFE, *urls))
    check(get())
    assert [path for path, _ in server.log] == [
        *("/gone", "/short", "/wrong", "/stalls", "/stalls", "/good")
    ]
    said = [line for line in notes.lines if line.startswith("127.0.0.1: ")]
    assert [line.split()[2] for line in said] == ["answers", "file", "file", "sends"]
    assert "not " + published.original(CAFFE).checksums[0][1] in said[2]


def test_a_mirror_goes_on_where_another_broke_off(server, publish, get, home) -> None:
    half = len(CAFFE) // 2 // 8192 * 8192
    server.items |= {"/a": Item(CAFFE, cut=[half] * 9), "/b": Item(CAFFE)}
    publish(published.original(CAFFE, server.url + "/a", server.url + "/b"))
    check(get())
    assert server.log[-1][1]["Range"] == f"bytes={half}-"
    assert files(home) == ["small.h5"]


def test_glued_bytes_are_found_and_fetched_whole(one, get, home, notes) -> None:
    """A part of something else, from an address that gave no validator."""
    (home / f"{NAME}.part").write_bytes(b"\0" * 8192)
    check(get())
    assert [headers.get("Range") for _, headers in one.log] == ["bytes=8192-", None]
    assert any(line.endswith("; starting over") for line in notes.lines)


def test_a_part_that_is_complete_is_used(one, get, home) -> None:
    (home / f"{NAME}.part").write_bytes(CAFFE)
    check(get())
    assert one.log == []


def test_where_nothing_helps(server, publish, get, home) -> None:
    publish(published.original(CAFFE, server.url + "/a", server.url + "/b"))
    with pytest.raises(UserError) as caught:
        get()
    message = str(caught.value)
    assert message.count("127.0.0.1: it answers 404 Not Found") == 2
    assert f"put {NAME} into {home}" in message
    assert "\n" not in message
    assert files(home) == []


def test_without_a_network_the_reason_is_told_once(publish, get, home) -> None:
    urls = [f"http://{host}.invalid/f" for host in ("one", "two", "two")]
    publish(published.original(CAFFE, *urls))
    with pytest.raises(UserError) as caught:
        get()
    assert str(caught.value).startswith(
        "cannot fetch small: none of these can be reached: one.invalid, two.invalid; is"
    )


# -- an address of one's own ----------------------------------------------


def test_from(one, get) -> None:
    one.items["/mine/f.caffemodel"] = Item(CAFFE)
    check(get(url=one.url + "/mine/f.caffemodel"))
    assert [path for path, _ in one.log] == ["/mine/f.caffemodel"]


def test_from_is_checked_just_the_same(one, get, home) -> None:
    one.items["/mine"] = Item(OTHER)
    with pytest.raises(UserError, match=r"127.0.0.1: its file has the sha256"):
        get(url=one.url + "/mine")
    assert files(home) == []


def test_from_takes_the_file_of_its_ending(both, get) -> None:
    both.items["/x.caffemodel?dl=1"] = Item(CAFFE)
    assert store.load(get(url=both.url + "/x.caffemodel?dl=1")).source == NAME


@pytest.mark.parametrize("url", ["ftp://h/f", "f.caffemodel", "http:///f", "/a/b"])
def test_from_no_address(one, get, url: str) -> None:
    with pytest.raises(UserError, match="is not an address to fetch from"):
        get(url=url)


# -- room, locks ----------------------------------------------------------

Usage = namedtuple("Usage", "total used free")


def test_too_little_room(one, get, home, monkeypatch) -> None:
    needed = len(CAFFE) + STORE
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, needed - 1))
    with pytest.raises(UserError, match=r"too little room in .*models: 0\.2 MB are"):
        get()
    assert one.log == []
    assert files(home) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, needed))
    check(get())


def test_room_for_the_rest_is_enough(one, get, home, monkeypatch, notes) -> None:
    (home / f"{NAME}.part").write_bytes(CAFFE[:81920])
    free = len(CAFFE) - 81920 + STORE
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free))
    check(get())
    assert "0.1 MB of it here" in notes.lines[0]


def test_two_at_once_fetch_it_once(one, tmp_path, home) -> None:
    one.items["/f"].stall = 8192
    slow = Wish(patience=Patience(read=60))
    watches = Notes(), Notes()
    found: list[Path] = []
    threads = [
        threading.Thread(
            target=lambda w=watch: found.append(fetch("small", slow, home, w))
        )
        for watch in watches
    ]
    threads[0].start()
    assert one.sent.wait(10)
    threads[1].start()
    while not watches[1].lines:
        threads[1].join(0.01)
    assert watches[1].lines == ["another process is fetching small; waiting for it"]
    one.go.set()
    for thread in threads:
        thread.join(20)
    assert found == [home / "small.h5"] * 2
    assert len(one.log) == 1
    assert watches[1].lines[-1].endswith("is there already")


def test_a_file_system_without_locks(one, get, monkeypatch) -> None:
    def refuse(self, **_) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(UserError, match=r"cannot lock .*No locks available"):
        get()


def test_no_place_to_write(one, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write to the folder"):
        fetch("small", Wish(), tmp_path / "file" / "models")


def test_published_files_are_not_pinned(one, get, home) -> None:
    get(keep=True)
    assert not (home / "pinned.json").exists()


def test_the_default_folder(one, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv(folder.VARIABLE, str(tmp_path / "deep" / "er"))
    assert fetch("small") == tmp_path / "deep" / "er" / "small.h5"


def test_nothing_is_said_by_default(one, tmp_path: Path, capfd) -> None:
    module.fetch("small", home=tmp_path)
    assert capfd.readouterr() == ("", "")
