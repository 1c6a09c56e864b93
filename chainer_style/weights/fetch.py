"""Fetching trained weights: which file, from where, checked how, kept in what form."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from chainer_style.errors import UserError
from chainer_style.files import make_folder
from chainer_style.networks import NETWORKS
from chainer_style.text import size
from chainer_style.weights import folder, pins, registry, store, verify
from chainer_style.weights.collection import count
from chainer_style.weights.convert import convert
from chainer_style.weights.disk import sha256
from chainer_style.weights.download import UNREACHABLE, Part, Patience
from chainer_style.weights.folder import shown
from chainer_style.weights.obtain import NoAddress, Watch, alone, obtain
from chainer_style.weights.registry import Layout, Mirror, Original

FLOAT = 4
"""Bytes of a parameter in a store."""


@dataclass(frozen=True)
class Wish:
    """How to fetch.

    Attributes
    ----------
    layout
        Only the file that Keras or Caffe wrote.
    url
        An address to take in place of the registry's.
    keep
        Keep the original beside the converted file.
    accept
        Take a file that is another than the one first seen under its name, where no
        checksum is published.
    patience
        How long to wait for servers.
    """

    layout: Layout | None = None
    url: str | None = None
    keep: bool = False
    accept: bool = False
    patience: Patience = field(default_factory=Patience)


def fetch(
    name: str,
    wish: Wish = Wish(),
    home: Path | None = None,
    watch: Watch = Watch(),  # noqa: B008 - has no state
) -> Path:
    """Fetch the trained weights of a network, and convert them.

    What is there already is not fetched again. Two processes may fetch the same at
    once; one of them waits.

    Parameters
    ----------
    name
        A network's name, or the name of a file.
    wish
        How.
    home
        Where to put the files; by default `chainer_style.weights.folder.models`.
    watch
        Told what happens.

    Returns
    -------
    Path
        The converted file; the original where the package has no graph for it.

    Raises
    ------
    UserError
        If no address gives the file, there is no room for it, it is not what it
        should be, or cannot be written.
    """
    originals = _wanted(name, wish)
    home = home or folder.models()
    make_folder(home)
    with alone(home, originals[0].network, watch):
        if there := _present(originals, wish, home, watch):
            return there
        problems: list[tuple[str, str]] = []
        for original in originals:
            try:
                return _Fetch(original, wish, home, watch).run()
            except NoAddress as error:
                problems += error.problems
            finally:
                watch.pause()
    raise _refusal(originals, problems, home)


def _refusal(
    originals: Sequence[Original], problems: Sequence[tuple[str, str]], home: Path
) -> UserError:
    """Return what to say where no address gives a file."""
    if {reason for _, reason in problems} == {UNREACHABLE}:
        hosts = ", ".join(dict.fromkeys(host for host, _ in problems))
        why = f"none of these can be reached: {hosts}; is this machine online"
        why += ", and HTTPS_PROXY set if there is a proxy?"
    else:
        why = "; ".join(f"{host}: {reason}" for host, reason in problems)
        why += "; try again later"
    by_hand = " or ".join(original.name for original in originals)
    return UserError(
        f"cannot fetch {originals[0].network}: {why}; or name another address with "
        f"--from, or put {by_hand} into {shown(home)} yourself and repeat this command"
    )


def _wanted(name: str, wish: Wish) -> tuple[Original, ...]:
    """Return the files that will do, the one to prefer first."""
    originals = registry.find(name, wish.layout)
    if wish.url is None:
        return originals
    address = urlsplit(wish.url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise UserError(
            f"{wish.url} is not an address to fetch from (http:// or https://); "
            "convert a file that is here with: chainer-style convert FILE"
        )
    ending = Path(address.path).suffix
    fitting = [original for original in originals if original.suffix == ending]
    chosen = (fitting or originals)[0]
    return (replace(chosen, mirrors=(Mirror(wish.url, "the command line"),)),)


def _present(
    originals: Sequence[Original], wish: Wish, home: Path, watch: Watch
) -> Path | None:
    """Return the store, if it is there, whole, and what is wished for."""
    network = originals[0].network
    path = folder.store_of(network, home)
    if network not in NETWORKS or not path.is_file():
        return None
    try:
        weights = store.load(path, NETWORKS[network].upto_taps())
    except UserError as error:
        watch.say(str(error))
        return None
    names = [original.name for original in originals]
    is_particular = len(originals) < len(registry.find(network))
    if is_particular and weights.source not in names:
        watch.say(f"{shown(path)} is there, from {weights.source}")
        return None
    if wish.keep and not any((home / name).is_file() for name in names):
        return None
    watch.say(f"{shown(path)} is there already")
    return path


class _Fetch:
    """One original: look, make room, download, check, convert."""

    def __init__(
        self, original: Original, wish: Wish, home: Path, watch: Watch
    ) -> None:
        self._original = original
        self._wish = wish
        self._home = home
        self._watch = watch
        self._path = home / original.name
        self._network = NETWORKS.get(original.network)

    def run(self) -> Path:
        was_there = self._is_there()
        if not was_there:
            self._make_room()
            patience = self._wish.patience
            obtain(self._original, self._path, self._judge, patience, self._watch)
        if self._network is None:
            self._watch.say(
                f"{shown(self._path)} stays as it is: this version has no "
                f"{self._original.network}"
            )
            return self._path
        target = folder.store_of(self._original.network, self._home)
        convert(self._path, target, self._network)
        done = f"{shown(target)}: {self._network.title}, {size(target.stat().st_size)}"
        if was_there or self._wish.keep:
            done += f"; {self._original.name} stays beside it"
        else:
            self._path.unlink()
            done += f"; {self._original.name} was dropped (--keep keeps it)"
        self._watch.say(done)
        return target

    def _is_there(self) -> bool:
        """Return whether the original lies there and is what it should be."""
        if not self._path.is_file():
            return False
        verdict = verify.of_original(self._path, self._original, self._home)
        if verdict.is_good or self._is_accepted(verdict):
            self._pin(self._path)
            self._watch.say(f"{shown(self._path)} is there already: {verdict.text}")
            return True
        if verdict.is_changed:
            raise self._changed(verdict)
        self._watch.say(f"{shown(self._path)} {verdict.text}; fetching it again")
        return False

    def _make_room(self) -> None:
        """Say how much room is needed, and refuse where there is too little."""
        original = self._original
        there = Part(self._path).size
        left = max(original.size - there, 0)
        converted = 0
        if self._network is not None:
            part = self._network.upto_taps()
            converted = FLOAT * count(part.parameter_shapes())
        free = shutil.disk_usage(self._home).free
        about = "" if original.is_size_exact else "about "
        begun = f", {size(there)} of it here" if there else ""
        kept = converted
        if self._wish.keep or not converted:
            kept += original.size
        self._watch.say(
            f"{original.name}: {about}{size(original.size)} to download{begun}, "
            f"{size(kept)} to keep; licence: {original.licence}"
        )
        if free < left + converted:
            raise UserError(
                f"there is too little room in {self._home}: {size(left + converted)} "
                f"are needed, {size(free)} are free; make room, or set "
                f"{folder.VARIABLE} to a folder on another disk"
            )

    def _judge(self, path: Path) -> verify.Verdict:
        verdict = verify.of_original(path, self._original, self._home)
        if self._is_accepted(verdict):
            verdict = replace(verdict, is_good=True)
        if verdict.is_good:
            self._pin(path)
        elif verdict.is_changed:
            Part(self._path).discard()
            raise self._changed(verdict)
        return verdict

    def _is_accepted(self, verdict: verify.Verdict) -> bool:
        return verdict.is_changed and self._wish.accept

    def _pin(self, path: Path) -> None:
        if not self._original.checksums:
            pins.pin(self._original.name, sha256(path), self._home)

    def _changed(self, verdict: verify.Verdict) -> UserError:
        return UserError(
            f"{self._original.name} {verdict.text} "
            f"({shown(self._home / pins.FILE)}); if you trust it, repeat with --accept"
        )
