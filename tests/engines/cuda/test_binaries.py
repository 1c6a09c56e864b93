"""Kernels compiled for a device's own instructions, on a stand-in for CuPy."""

from __future__ import annotations

import pathlib

import fake_cupy
import pytest

from chainer_style import files
from chainer_style.engines.cuda import binaries, kernels

OPTIONS = ("-DFEATURE=32",)


@pytest.fixture
def cupy():
    return fake_cupy.Cupy()


def compiled(cupy, options=OPTIONS):
    """How often NVRTC was asked for a module."""
    before = cupy.cuda.nvrtc.compiled
    module = binaries.module(cupy, kernels.source(), options, "sm_90a")
    assert module.get_function("first")
    assert not cupy.cuda.nvrtc.programs
    return cupy.cuda.nvrtc.compiled - before


def kept():
    return list((files.cache_folder() / binaries.FOLDER).iterdir())


def test_what_was_compiled_is_kept(cupy):
    assert compiled(cupy) == 1
    (path,) = kept()
    assert "-arch=sm_90a" in path.read_text()
    assert compiled(cupy) == 0
    assert compiled(cupy, ("-DFEATURE=17",)) == 1
    assert compiled(cupy) == 0


def test_what_is_broken_is_compiled_again(cupy):
    compiled(cupy)
    (path,) = kept()
    path.write_text("")
    assert compiled(cupy) == 1
    assert compiled(cupy) == 0


def test_a_folder_that_cannot_be_written_to_is_no_matter(cupy, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "mkdir", refuse)
    assert compiled(cupy) == 1
    assert compiled(cupy) == 1
