"""One published file from whichever of its addresses gives it, checked on arrival."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import filelock

from chainer_style.errors import UserError
from chainer_style.weights import folder
from chainer_style.weights.download import Part, Patience, Unavailable, download
from chainer_style.weights.registry import Published
from chainer_style.weights.verify import Verdict


class Watch:
    """Is told what happens. This one keeps it to itself."""

    def say(self, text: str) -> None:
        """Something was decided, found or done."""

    def progress(self, name: str, done: int, total: int | None) -> None:
        """So many bytes of a file are there; all of them, if `total` is known."""

    def pause(self) -> None:
        """No more bytes will come for a while, or at all."""


class NoAddress(Exception):  # noqa: N818 - another file may have one
    """No address gives a file; holds every host with its reason."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__(problems)
        self.problems = problems


def obtain(
    published: Published,
    path: Path,
    judge: Callable[[Path], Verdict],
    patience: Patience,
    watch: Watch,
) -> None:
    """Try a file's addresses one after the other until what they give is good.

    Parameters
    ----------
    published
        What is known of the file.
    path
        The name that it will have.
    judge
        Looks at what came, and says whether it is good.
    patience
        How long to wait for servers.
    watch
        Told what happens.

    Raises
    ------
    NoAddress
        If none gives it.
    UserError
        If it cannot be written, or `judge` raises it.
    """
    part, problems = Part(path), []
    for mirror in published.mirrors:
        host = urlsplit(mirror.url).hostname or mirror.url
        try:
            _from(mirror.url, published, part, judge, patience, watch)
        except Unavailable as error:
            watch.pause()
            watch.say(f"{host}: {error}")
            problems.append((host, str(error)))
        else:
            return
    raise NoAddress(problems)


def _from(
    url: str,
    published: Published,
    part: Part,
    judge: Callable[[Path], Verdict],
    patience: Patience,
    watch: Watch,
) -> None:
    name = published.name
    while True:
        glued = download(
            url,
            part,
            size=published.size if published.is_size_exact else None,
            is_checked=bool(published.checksums),
            patience=patience,
            progress=lambda done, total: watch.progress(name, done, total),
        )
        watch.pause()
        verdict = judge(part.path)
        if verdict.is_good:
            part.complete()
            watch.say(f"{name}: checked, {verdict.text}")
            return
        part.discard()
        if not glued:
            raise Unavailable(f"its file {verdict.text}")
        watch.say(f"{name} {verdict.text}; starting over")


@contextmanager
def alone(home: Path, name: str, watch: Watch) -> Iterator[None]:
    """Keep other processes from fetching the same into a folder.

    Raises
    ------
    UserError
        If nothing can be locked there.
    """
    lock = filelock.FileLock(home / f".{name}.lock")
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            watch.say(f"another process is fetching {name}; waiting for it")
            lock.acquire()
    # filelock raises the second where the file system has no locks.
    except (OSError, NotImplementedError) as error:
        raise UserError(
            f"cannot lock {lock.lock_file}: {error}; set {folder.VARIABLE} to a folder "
            "on another disk"
        ) from None
    try:
        yield
    finally:
        lock.release()
