from __future__ import annotations

import errno
import hashlib
import json
import random
import socket
from pathlib import Path

import pytest
from http_server import Item, Server, serving

from chainer_style.errors import UserError
from chainer_style.weights import download as module
from chainer_style.weights.download import Part, Patience, Unavailable, download

CHUNK = module.CHUNK
CONTENT = random.Random(0).randbytes(40 * CHUNK + 1)
HALF = 20 * CHUNK
QUICK = Patience(connect=2, read=0.3, attempts=3, pause=0.01)


@pytest.fixture
def part(tmp_path: Path) -> Part:
    return Part(tmp_path / "file.bin")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def get(server: Server, part: Part, path: str = "/f", **more) -> bool:
    more = {"patience": QUICK, "size": len(CONTENT), "is_checked": True, **more}
    return download(server.url + path, part, **more)


def content_of(part: Part) -> bytes:
    return part.path.read_bytes()


def asked(server: Server, name: str) -> list[str | None]:
    return [headers.get(name) for _, headers in server.log]


def begun(part: Part, url: str, content: bytes = CONTENT[:HALF], **note) -> None:
    """Leave a download as an earlier process left it."""
    part.begin(url=url, **{"validator": '"1"', "total": len(CONTENT), **note})
    part.path.write_bytes(content)


# -- the good case --------------------------------------------------------


@pytest.mark.parametrize("size", [len(CONTENT), None])
@pytest.mark.parametrize("length", [0, 1, len(CONTENT)])
def test_a_whole_file(server, part, size, length) -> None:
    server.items["/f"] = Item(CONTENT[:length])
    seen = []
    glued = get(
        server,
        part,
        size=length if size else None,
        progress=lambda *state: seen.append(state),
    )
    assert not glued
    assert content_of(part) == CONTENT[:length]
    assert seen[0] == (0, length)
    assert seen[-1] == (length, length)
    assert seen == sorted(seen)
    assert not part.target.exists()
    part.complete()
    assert [path.name for path in part.target.parent.iterdir()] == ["file.bin"]


def test_it_asks_for_the_bytes_as_they_are(server, part) -> None:
    server.items["/f"] = Item(CONTENT)
    get(server, part)
    assert asked(server, "Accept-Encoding") == ["identity"]
    assert asked(server, "Range") == [None]
    assert asked(server, "User-Agent")[0].startswith("chainer-style/")


def test_redirects_are_followed(server, part) -> None:
    server.items["/a"] = Item(location="/b")
    server.items["/b"] = Item(location=server.url + "/f")
    server.items["/f"] = Item(CONTENT)
    get(server, part, "/a")
    assert content_of(part) == CONTENT
    assert part.note["url"] == server.url + "/a"


# -- going on -------------------------------------------------------------


def test_a_broken_line_is_resumed_within_one_call(server, part) -> None:
    server.items["/f"] = Item(CONTENT, cut=[10 * CHUNK, 30 * CHUNK])
    assert not get(server, part)
    assert content_of(part) == CONTENT
    assert asked(server, "Range") == [
        None,
        f"bytes={10 * CHUNK}-",
        f"bytes={30 * CHUNK}-",
    ]
    assert asked(server, "If-Range") == [None, '"1"', '"1"']


def test_without_validator_what_was_resumed_may_be_glued(server, part) -> None:
    server.items["/f"] = Item(CONTENT, tag="", cut=[10 * CHUNK])
    assert get(server, part)
    assert content_of(part) == CONTENT


def test_an_earlier_download_is_resumed(server, part) -> None:
    server.items["/f"] = Item(CONTENT)
    begun(part, server.url + "/f")
    assert get(server, part)
    assert content_of(part) == CONTENT
    assert asked(server, "Range") == [f"bytes={HALF}-"]
    assert asked(server, "If-Range") == ['"1"']


def test_a_date_serves_as_validator_where_there_is_no_strong_tag(server, part) -> None:
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    server.items["/f"] = Item(CONTENT, tag='W/"1"', modified=date, cut=[HALF])
    get(server, part, is_checked=False)
    assert content_of(part) == CONTENT
    assert asked(server, "If-Range") == [None, date]


@pytest.mark.parametrize("checked", [True, False])
def test_a_server_that_ignores_range_starts_over(server, part, checked) -> None:
    server.items["/f"] = Item(CONTENT, ranges=False)
    begun(part, server.url + "/f", b"other" * 100)
    assert not get(server, part, is_checked=checked)
    assert content_of(part) == CONTENT


@pytest.mark.parametrize("checked", [True, False])
def test_a_changed_file_is_not_glued_to_the_old_one(server, part, checked) -> None:
    server.items["/f"] = Item(CONTENT, tag='"2"')
    begun(part, server.url + "/f", b"\0" * HALF)
    assert not get(server, part, is_checked=checked)
    assert content_of(part) == CONTENT
    assert part.note["validator"] == '"2"'


def test_without_checksum_no_other_address_goes_on(server, part) -> None:
    server.items["/f"] = Item(CONTENT)
    begun(part, "http://elsewhere/f", b"\0" * HALF)
    assert not get(server, part, is_checked=False)
    assert content_of(part) == CONTENT
    assert asked(server, "Range") == [None]


def test_with_a_checksum_another_address_goes_on(server, part) -> None:
    server.items["/f"] = Item(CONTENT)
    begun(part, "http://elsewhere/f")
    assert get(server, part)
    assert content_of(part) == CONTENT
    assert asked(server, "Range") == [f"bytes={HALF}-"]
    assert asked(server, "If-Range") == [None]


def test_without_validator_and_checksum_it_starts_over(server, part) -> None:
    server.items["/f"] = Item(CONTENT, tag="")
    begun(part, server.url + "/f", b"\0" * HALF, validator=None)
    get(server, part, is_checked=False)
    assert content_of(part) == CONTENT


@pytest.mark.parametrize("note", ["", "[]", "{", None])
def test_a_lost_note_does_no_harm(server, part, note) -> None:
    server.items["/f"] = Item(CONTENT)
    part.path.write_bytes(b"\0" * HALF)
    if note is not None:
        part.path.with_name("file.bin.part.json").write_text(note)
    get(server, part, is_checked=False)
    assert content_of(part) == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_what_is_complete_is_not_asked_for(server, part, size) -> None:
    begun(part, server.url + "/f", CONTENT)
    assert get(server, part, size=size)
    assert server.log == []


def test_too_long_a_part_starts_over(server, part) -> None:
    server.items["/f"] = Item(CONTENT)
    begun(part, server.url + "/f", CONTENT + b"more")
    get(server, part)
    assert content_of(part) == CONTENT
    assert asked(server, "Range") == [f"bytes={len(CONTENT) + 4}-", None]


def test_a_range_that_begins_elsewhere_starts_over(server, part) -> None:
    server.items["/f"] = Item(CONTENT, shift=7)
    begun(part, server.url + "/f")
    assert not get(server, part)
    assert content_of(part) == CONTENT
    assert asked(server, "Range") == [f"bytes={HALF}-", None]


# -- what can be wrong ----------------------------------------------------


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (Item(status=[404]), "it answers 404 Not Found"),
        (Item(status=[403]), "it answers 403 Forbidden"),
        (Item(status=[503] * 3), "it answers 503 Service Unavailable"),
        (Item(CONTENT[:9]), "its file has 9 bytes, not 327,681"),
        (Item(CONTENT, cut=[0, 0, 0]), "it broke off before the end"),
        (Item(CONTENT, stall=0), "it sends nothing for 0.3 s"),
        (Item(location="/f"), "from address to address without end"),
        (
            Item(CONTENT, headers={"Content-Type": "text/html; charset=utf-8"}),
            "it sends a web page in place of the file",
        ),
        (Item(CONTENT, headers={"Content-Encoding": "gzip"}), "file compressed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_reasons(server, part, item: Item, reason: str) -> None:
    server.items["/f"] = item
    with pytest.raises(Unavailable, match=reason):
        get(server, part)
    assert not part.target.exists()


def test_a_passing_fault_is_waited_for(server, part) -> None:
    server.items["/f"] = Item(CONTENT, status=[500, 429])
    get(server, part)
    assert content_of(part) == CONTENT


def test_a_stall_in_the_middle_keeps_what_came(server, part) -> None:
    server.items["/f"] = Item(CONTENT, stall=HALF)
    with pytest.raises(Unavailable, match=r"nothing for 0\.3 s"):
        get(server, part)
    assert content_of(part) == CONTENT[:HALF]
    assert asked(server, "Range") == [None, *[f"bytes={HALF}-"] * 2]


def test_progress_gives_new_patience(server, part, monkeypatch) -> None:
    monkeypatch.setattr(module, "ENOUGH", 1000)
    server.items["/f"] = Item(CONTENT, cut=list(range(CHUNK, 20 * CHUNK, CHUNK)))
    get(server, part)
    assert content_of(part) == CONTENT
    assert len(server.log) == 20


def test_more_than_announced_is_no_file(server, part) -> None:
    server.items["/f"] = Item(CONTENT, announced=len(CONTENT) - 1)
    with pytest.raises(Unavailable, match="its file has 327,680 bytes, not 327,681"):
        get(server, part)


def test_nobody_there(part) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unavailable, match=r"^it cannot be reached$"):
        download(f"http://127.0.0.1:{port}/f", part, patience=Patience(pause=60))


def test_no_host_of_that_name(part) -> None:
    with pytest.raises(Unavailable, match=r"^it cannot be reached$"):
        download("http://nowhere.invalid/f", part, patience=QUICK)


@pytest.mark.parametrize("url", ["ftp://host/f", "nonsense", "http://", "http://[/"])
def test_no_address(part, url: str) -> None:
    with pytest.raises(Unavailable, match="not an address"):
        download(url, part, patience=QUICK)


def test_a_server_that_dies_and_returns_is_waited_for(server, part) -> None:
    """The connection is refused once, after some bytes came."""
    server.items["/f"] = Item(CONTENT, cut=[HALF])
    send, failures = module.requests.Session.send, iter([False, True, False])

    def unsteady(session, request, **more):
        if next(failures):
            raise module.requests.ConnectionError("refused")
        return send(session, request, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.requests.Session, "send", unsteady)
        get(server, part)
    assert content_of(part) == CONTENT


def test_the_proxy_of_the_environment(part, monkeypatch) -> None:
    with serving() as proxy:
        proxy.items["/f"] = Item(CONTENT)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        download("http://weights.invalid/f", part, patience=QUICK)
        assert content_of(part) == CONTENT
        assert [path for path, _ in proxy.log] == ["http://weights.invalid/f"]


def test_no_proxy_for_some_hosts(server, part, monkeypatch) -> None:
    server.items["/f"] = Item(CONTENT)
    with serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        get(server, part)
        assert proxy.log == []
    assert content_of(part) == CONTENT


def test_a_proxy_that_is_away(server, part, monkeypatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    with pytest.raises(Unavailable, match="proxy"):
        get(server, part)


def test_a_full_disk(server, part, monkeypatch) -> None:
    server.items["/f"] = Item(CONTENT)

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *error) -> None:
            pass

        def write(self, data: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    opened = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, *a, **k: Full() if "ab" in a else opened(path, *a, **k),
    )
    with pytest.raises(UserError, match=r"cannot write .*file\.bin\.part: No space"):
        get(server, part)


def test_a_folder_that_cannot_be_written(server, tmp_path: Path) -> None:
    server.items["/f"] = Item(CONTENT)
    with pytest.raises(UserError, match="cannot write"):
        get(server, Part(tmp_path / "missing" / "file.bin"))


def test_the_note_says_where_it_came_from(server, part) -> None:
    server.items["/f"] = Item(CONTENT, stall=HALF)
    with pytest.raises(Unavailable):
        get(server, part)
    note = json.loads((part.path.with_name("file.bin.part.json")).read_text())
    assert note == {
        "url": server.url + "/f",
        "validator": '"1"',
        "total": len(CONTENT),
    }


def test_resuming_many_times_gives_the_same_bytes(server, part) -> None:
    """Whatever the places where it breaks."""
    places = sorted(random.Random(1).sample(range(len(CONTENT)), 30))
    for place in places:
        server.items["/f"] = Item(CONTENT, cut=[place] * 3)
        with pytest.raises(Unavailable):
            get(server, part)
    server.items["/f"] = Item(CONTENT)
    assert get(server, part)
    assert hashlib.sha256(content_of(part)).digest() == hashlib.sha256(CONTENT).digest()
