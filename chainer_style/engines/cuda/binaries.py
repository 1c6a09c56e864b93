"""Kernels compiled for one device's own instructions.

CuPy compiles for whatever later devices understand, too, and the matrix units of sm_90a
are not among that.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chainer_style import files
from chainer_style.errors import UserError

FOLDER = "cuda"
"""In the user's cache."""

OWN = {(9, 0): "sm_90a"}
"""Architectures with instructions of their own, by compute capability."""


def module(cupy: Any, source: str, options: Sequence[str], arch: str) -> Any:
    """Return a module of CuPy's.

    What was compiled is kept in the user's cache; where that cannot be written, it is
    compiled each time.

    Parameters
    ----------
    cupy
        The package.
    source
        In CUDA.
    options
        Of its compiler.
    arch
        One of `OWN`.

    Raises
    ------
    Exception
        NVRTC's own, if it does not know the architecture.
    """
    nvrtc = cupy.cuda.nvrtc
    told = repr((nvrtc.getVersion(), arch, tuple(options), source))
    name = hashlib.sha256(told.encode()).hexdigest()[:32]
    path = files.cache_folder() / FOLDER / f"{name}.cubin"
    if path.is_file():
        with contextlib.suppress(Exception):  # one that is broken is made anew
            return _loaded(cupy, path)
    binary = _compiled(nvrtc, source, (*options, f"-arch={arch}"))
    with contextlib.suppress(OSError, UserError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as new:
            new.write_bytes(binary)
        return _loaded(cupy, path)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / path.name
        path.write_bytes(binary)
        return _loaded(cupy, path)


def _loaded(cupy: Any, path: Path) -> Any:
    made = cupy.RawModule(path=str(path))
    made.module  # noqa: B018 - reads the file now
    return made


def _compiled(nvrtc: Any, source: str, options: Sequence[str]) -> bytes:
    program = nvrtc.createProgram(source, "kernels.cu", (), ())
    try:
        nvrtc.compileProgram(program, options)
        return bytes(nvrtc.getCUBIN(program))
    finally:
        nvrtc.destroyProgram(program)
