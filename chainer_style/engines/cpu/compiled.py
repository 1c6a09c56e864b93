"""The kernels compiled: once, then read from a folder of this user."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import threading
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba import types
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    _CacheLocator,
)
from numba.core.registry import cpu_target

from chainer_style.engines import Watch
from chainer_style.engines.cpu.kernels import target
from chainer_style.engines.cpu.kernels.interpreter import KERNELS, execute
from chainer_style.engines.cpu.kernels.steps import KINDS, STEP
from chainer_style.files import COMPILED, cache_folder

_STEP = numba.from_dtype(STEP)
_WORDS = types.Array(types.int64, 1, "C")
_WORD = types.int64
_KERNEL = types.void(_STEP, _WORD, _WORD)
_EXECUTE = types.void(
    types.Array(_STEP, 1, "C"),
    types.Array(types.uint8, 1, "C"),
    _WORDS,
    types.Array(types.int64, 2, "C"),
    _WORDS,
    _WORDS,
    _WORD,
    _WORD,
)

_lock = threading.Lock()


def folder() -> Path:
    """Return where compiled kernels are kept, apart by what they were made from.

    numba itself notices a change of the file of a function only, not of what that
    calls.
    """
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__}".encode())
    cpu = cpu_target.target_context.codegen().magic_tuple()
    digest.update(f"{target.get().name} {cpu}".encode())
    for source in sorted((Path(__file__).parent / "kernels").glob("*.py")):
        digest.update(source.read_bytes())
    return cache_folder() / COMPILED / digest.hexdigest()[:16]


class _Place(_CacheLocator):  # type: ignore[misc]
    """Our folder, whether it may be written or not."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get_cache_path(self) -> str:
        return str(self._path)

    def get_source_stamp(self) -> str:
        return self._path.name

    def get_disambiguator(self) -> str:
        return ""

    @classmethod
    def from_function(cls, py_func: Any, py_file: Any) -> _Place:
        return cls(folder())


class _Form(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_Place,)


class _Kept(FunctionCache):  # type: ignore[misc]
    """What was compiled before. Files that cannot be used are as good as none."""

    _impl_class = _Form

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # of a kind that depends on how the file is damaged
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):
            try:
                super().save_overload(sig, data)
            except (pickle.UnpicklingError, EOFError):  # a damaged index
                self.flush()
                super().save_overload(sig, data)


def load(watch: Watch = iter) -> None:
    """Have all kernels ready: compiled before, or now.

    Parameters
    ----------
    watch
        Told the kernels that are compiled now, as they are.
    """
    with _lock:
        if execute.signatures:
            return
        execute._cache = kept = _Kept(execute.py_func)
        if kept.load_overload(_EXECUTE, execute.targetctx) is None:
            for name in watch([*KINDS, "execute"]):
                if name in KINDS:
                    KERNELS[KINDS.index(name)].compile(_KERNEL)
                else:
                    execute.compile(_EXECUTE)
        else:
            execute.compile(_EXECUTE)
