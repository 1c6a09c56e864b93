"""Kernels are compiled once; no state of the cache is an error."""

from __future__ import annotations

import os
import shutil

import compiled_there
import numba
import pytest

from chainer_style import files
from chainer_style.engines.cpu import compiled


def test_they_are_compiled_once(kernels):
    said, cache = kernels
    assert said.startswith("compiling winograd2 winograd4")
    assert len(said.splitlines()) == 1
    assert compiled_there.load(cache) == ""


def test_what_is_there_is_not_compiled_again(kernels, tmp_path):
    """Whoever was interrupted goes on: each kernel is kept by itself."""
    _, cache = kernels
    here = shutil.copytree(cache, tmp_path / "cache")
    gone = [*here.rglob("adam-*"), *here.rglob("execute-*")]
    assert len(gone) == 4
    for file in gone:
        file.unlink()
    for damaged in here.rglob("clip-*.nbc"):
        damaged.write_bytes(damaged.read_bytes()[:100])
    assert compiled_there.load(here) == "compiling adam clip\n"
    assert compiled_there.load(here) == ""


def following(number):
    return number + 1


class Small:
    """A function that is compiled and kept as the kernels are."""

    def __init__(self):
        self.dispatcher = numba.njit(following)
        self.dispatcher._cache = compiled._Kept(following, "following")

    def is_found(self):
        """Return whether it was compiled before; it works in any case."""
        assert self.dispatcher(2) == 3
        return bool(self.dispatcher.stats.cache_hits)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    found = tmp_path / "kernels"
    monkeypatch.setattr(compiled, "folder", lambda: found)
    return found


def test_they_are_found_again(folder):
    assert not Small().is_found()
    assert Small().is_found()


@pytest.mark.parametrize("length", [0, 100])
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_damaged_files_are_as_good_as_none(folder, suffix, length):
    Small().is_found()
    (damaged,) = folder.glob(f"*{suffix}")
    damaged.write_bytes(damaged.read_bytes()[:length])
    assert not Small().is_found()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_read(folder):
    Small().is_found()
    folder.chmod(0o500)
    try:
        assert Small().is_found()
    finally:
        folder.chmod(0o700)


def test_a_folder_that_cannot_be_is_no_error(folder):
    folder.touch()
    assert not Small().is_found()
    assert not Small().is_found()


def test_other_versions_have_another_folder(monkeypatch):
    before = compiled.folder()
    monkeypatch.setattr(compiled.numba, "__version__", "another")
    assert compiled.folder() != before


def test_the_folder_is_in_the_users_cache():
    assert files.cache_folder() in compiled.folder().parents
