"""One file over HTTP: resumed, patient with a bad line, never taken for complete.

A download grows in a file beside its target, ``NAME.part``, with what the server
said of it in ``NAME.part.json``. The next attempt asks for the rest (``Range``), on
condition that the file is still the same (``If-Range``); RFC 9110, sections 13 and
14.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3

from chainer_style import __version__
from chainer_style.errors import UserError
from chainer_style.files import write_json
from chainer_style.weights.folder import PART

CHUNK = 1 << 13
"""Bytes read at a time: so many are lost where a line breaks."""

ENOUGH = 1 << 20
"""Bytes after which an attempt that broke off counts as a success."""

PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Statuses that may be different in a moment."""

UNREACHABLE = "it cannot be reached"
"""What is said of an address to which there is no way."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there, and all of them if that is known."""


class Unavailable(Exception):  # noqa: N818 - nothing went wrong here
    """An address does not give the file; the message says why, in a few words."""


class _Broken(Exception):  # noqa: N818 - likewise
    """An attempt broke off; another one may do."""


class _Unreachable(_Broken):
    """There was no connection: no use in another attempt, unless there was one."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to come back.

    Attributes
    ----------
    connect, read
        Seconds to wait for a connection, and for the next bytes.
    attempts
        How often to try without getting on.
    pause
        Seconds before the second attempt; doubled before each further one.
    """

    connect: float = 10
    read: float = 30
    attempts: int = 3
    pause: float = 1


class Part:
    """A download that is not complete.

    Parameters
    ----------
    target
        The name that the file will have.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + PART)
        self._note = target.with_name(target.name + PART + ".json")

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def note(self) -> dict[str, Any]:
        """What the server said when it began: ``url``, ``validator``, ``total``."""
        with contextlib.suppress(OSError, ValueError):
            note = json.loads(self._note.read_text(encoding="utf-8"))
            if isinstance(note, dict):
                return note
        return {}

    def begin(self, **note: Any) -> None:
        """Throw away what there is, and note what is to come."""
        self.discard()
        write_json(self._note, note)

    def discard(self) -> None:
        """Throw away what there is."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def complete(self) -> None:
        """Give the file its name.

        Raises
        ------
        UserError
            If the system refuses.
        """
        try:
            with self.path.open("rb") as file:
                os.fsync(file.fileno())
            self.path.replace(self.target)
        except OSError as error:
            raise UserError(
                f"cannot write {self.target}: {error.strerror or error}"
            ) from error
        self._note.unlink(missing_ok=True)


def download(
    url: str,
    part: Part,
    *,
    size: int | None = None,
    is_checked: bool = False,
    patience: Patience = Patience(),
    progress: Progress = lambda done, total: None,
) -> bool:
    """Download a file into its part, going on where an earlier attempt stopped.

    Proxies are those of the environment (``HTTP_PROXY``, ``HTTPS_PROXY``,
    ``NO_PROXY``).

    Parameters
    ----------
    url
        The address, ``http`` or ``https``.
    part
        Where the bytes go.
    size
        How many there have to be, if that is known.
    is_checked
        Whether the caller compares a checksum at the end. If so, what came from
        one address may be completed from another.
    patience
        How long to wait, and how often to try.
    progress
        Told how far it is.

    Returns
    -------
    bool
        Whether some of the bytes may belong to another file: they lay here before,
        or the server gave nothing to tell files apart by.

    Raises
    ------
    Unavailable
        If the address does not give the file. What came of it stays.
    UserError
        If the file cannot be written.
    """
    with requests.Session() as session:
        session.headers["User-Agent"] = f"chainer-style/{__version__}"
        # The bytes as they are: lengths and ranges count those.
        session.headers["Accept-Encoding"] = "identity"
        return _Download(session, url, part, size, is_checked, patience, progress).run()


@dataclass
class _Download:
    """The arguments of `download`, and what it returns."""

    session: requests.Session
    url: str
    part: Part
    size: int | None
    is_checked: bool
    patience: Patience
    progress: Progress
    glued: bool = False

    def run(self) -> bool:
        self.glued = self.part.size > 0
        failures, gained = 0, 0
        while True:
            before = self.part.size
            try:
                self._attempt()
            except _Broken as error:
                gain = max(self.part.size - before, 0)
                gained += gain
                failures = 1 if gain >= ENOUGH else failures + 1
                dead = isinstance(error, _Unreachable) and not gained
                if dead or failures >= self.patience.attempts:
                    raise Unavailable(str(error)) from None
                time.sleep(self.patience.pause * 2 ** (failures - 1))
            else:
                return self.glued

    def _attempt(self) -> None:
        part, note = self.part, self.part.note
        if part.size and part.size == (self.size or note.get("total")):
            return
        headers = self._resume(note)
        try:
            with self.session.get(
                self.url,
                headers=headers,
                stream=True,
                timeout=(self.patience.connect, self.patience.read),
            ) as response:
                _check_status(response, part)
                total = _total(response, part, self.size)
                if response.status_code == requests.codes.ok:
                    validator = _validator(response)
                    part.begin(url=self.url, validator=validator, total=total)
                    self.glued = False
                elif "If-Range" not in headers:
                    self.glued |= part.size > 0
                _receive(response, part, total, self.progress)
        except requests.RequestException as error:
            raise _reason(error, self.patience) from None
        if total is not None and part.size != total:
            if part.size > total:
                part.discard()
            raise _Broken("it broke off before the end")

    def _resume(self, note: dict[str, Any]) -> dict[str, str]:
        """Return the headers that ask for the rest, if it may follow what there is."""
        if not self.part.size:
            return {}
        wanted = {"Range": f"bytes={self.part.size}-"}
        if note.get("url") == self.url and note.get("validator"):
            return {**wanted, "If-Range": str(note["validator"])}
        return wanted if self.is_checked else {}


def _validator(response: requests.Response) -> str | None:
    """Return what tells this file from a later one at the same address."""
    tag = response.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    return response.headers.get("Last-Modified")


def _check_status(response: requests.Response, part: Part) -> None:
    status = response.status_code
    answer = f"it answers {status} {response.reason or ''}".rstrip()
    if status == requests.codes.requested_range_not_satisfiable:
        part.discard()
        raise _Broken("it does not go on where the download stopped")
    if status in PASSING:
        raise _Broken(answer)
    if status not in (requests.codes.ok, requests.codes.partial_content):
        raise Unavailable(answer)
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise Unavailable("it sends a web page in place of the file")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unavailable("it sends the file compressed")


def _total(response: requests.Response, part: Part, size: int | None) -> int | None:
    """Return how long the whole file will be, checked against what is known."""
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    if response.status_code == requests.codes.partial_content:
        header = response.headers.get("Content-Range", "")
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", header.strip())
        if not found or int(found[1]) != part.size:
            part.discard()
            raise _Broken("it does not go on where the download stopped")
        total = int(found[2]) if found[2] != "*" else size
    if size is not None and total not in (None, size):
        raise Unavailable(f"its file has {total:,} bytes, not {size:,}")
    return size if total is None else total


def _receive(
    response: requests.Response, part: Part, total: int | None, progress: Progress
) -> None:
    try:
        with part.path.open("ab") as file:
            done = part.size
            progress(done, total)
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
                if total is not None and done > total:
                    return
    except requests.RequestException:
        raise  # which are OSErrors too
    except OSError as error:
        raise UserError(
            f"cannot write {part.path}: {error.strerror or error}"
        ) from error


def _reason(
    error: requests.RequestException, patience: Patience
) -> Unavailable | _Broken:
    """Return what to make of an error of the network, in a few words."""
    cause = error.args[0] if error.args else None
    match error:
        case requests.exceptions.ProxyError():
            return _Unreachable("the proxy does not let it through")
        case requests.exceptions.SSLError():
            return Unavailable("its certificate cannot be trusted")
        case requests.exceptions.ConnectTimeout():
            return _Unreachable(f"it does not answer within {patience.connect:g} s")
        case requests.exceptions.ReadTimeout():
            return _Broken(f"it sends nothing for {patience.read:g} s")
        case requests.exceptions.ChunkedEncodingError():
            return _Broken("it broke off before the end")
        case requests.exceptions.ConnectionError():
            if isinstance(cause, urllib3.exceptions.ReadTimeoutError):
                return _Broken(f"it sends nothing for {patience.read:g} s")
            if isinstance(cause, urllib3.exceptions.ProtocolError):
                return _Broken("it broke off before the end")
            return _Unreachable(UNREACHABLE)
        case requests.exceptions.TooManyRedirects():
            return Unavailable("it sends from address to address without end")
    return Unavailable("it is not an address of the web")
