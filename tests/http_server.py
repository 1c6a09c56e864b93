"""A server on the loopback that serves files well or badly, as it is told."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Item:
    """What lies at a path.

    Attributes
    ----------
    content
        The bytes.
    tag
        The validator ``ETag``; none if empty.
    modified
        The validator ``Last-Modified``; none if empty.
    ranges
        Whether it understands ``Range``.
    cut
        Closes the connection behind so many bytes of the file; each answer takes
        the next one, the last answer none.
    stall
        Sends nothing more behind so many bytes, until `Server.go` is set.
    status
        Answers this and nothing else; a list is gone through, answer by answer.
    location
        Redirects to there.
    announced
        Says that the file has so many bytes.
    shift
        Begins so many bytes before a range that is asked for.
    headers
        More of them.
    """

    content: bytes = b""
    tag: str = '"1"'
    modified: str = ""
    ranges: bool = True
    cut: list[int] = field(default_factory=list)
    stall: int | None = None
    status: list[int] = field(default_factory=list)
    location: str = ""
    announced: int | None = None
    shift: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    """Serves `items` by their paths, and logs what it was asked.

    Attributes
    ----------
    items
        Path -> what lies there.
    log
        Path and headers of every request.
    go
        Lets answers that stall go on.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.items: dict[str, Item] = {}
        self.log: list[tuple[str, dict[str, str]]] = []
        self.go = threading.Event()
        self.sent = threading.Event()
        """Set when an answer stalls."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address) -> None:
        """Keep quiet: clients go away in the middle, on purpose."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.log.append((self.path, dict(self.headers)))
        # A proxy is asked for whole addresses.
        item = self.server.items.get(re.sub(r"^http://[^/]+", "", self.path))
        if item is None:
            self.send_error(404)
        elif item.status:
            self.send_error(item.status.pop(0))
        elif item.location:
            self.send_response(302)
            self.send_header("Location", item.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._serve(item)

    def _serve(self, item: Item) -> None:
        start = self._start(item)
        total = len(item.content) if item.announced is None else item.announced
        if start is not None and start >= total:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Length", str(total - (start or 0)))
        if item.tag:
            self.send_header("ETag", item.tag)
        if item.modified:
            self.send_header("Last-Modified", item.modified)
        for name, value in item.headers.items():
            self.send_header(name, value)
        self.end_headers()
        end = item.cut.pop(0) if item.cut else item.stall
        self.wfile.write(item.content[start or 0 : end])
        self.wfile.flush()
        if end is not None and end == item.stall:
            self.server.sent.set()
            self.server.go.wait(60)
            self.wfile.write(item.content[max(start or 0, end) :])

    def _start(self, item: Item) -> int | None:
        """Return where the asked range begins, or None for the whole file."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not asked or not item.ranges:
            return None
        condition = self.headers.get("If-Range")
        if condition not in (None, item.tag or None, item.modified or None):
            return None
        return int(asked[1]) - item.shift

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.go.set()
            server.shutdown()
            thread.join()
