"""The kernels compiled: once, then read from a folder of this user."""

from __future__ import annotations

import contextlib
import functools
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
from chainer_style.engines.cpu.kernels.interpreter import KERNELS, execute, places
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
    _WORDS,
    _WORD,
    _WORD,
)

_LAST = "execute"
"""Name of what is kept when all kernels are."""

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
    """Files of a name that we give: numba's is the same for all that a factory makes.

    Parameters
    ----------
    function
        What is compiled.
    name
        Of its files.
    """

    _locator_classes = (_Place,)

    def __init__(self, function: Any, name: str) -> None:
        self._name = name
        super().__init__(function)

    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        return str(super().get_filename_base(self._name, abiflags))


class _Kept(FunctionCache):  # type: ignore[misc]
    """What was compiled before. Files that cannot be used are as good as none."""

    def __init__(self, function: Any, name: str) -> None:
        self._impl_class = functools.partial(_Form, name=name)
        super().__init__(function)

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        """Leave out what a function holds, which numba tells otherwise in each process.

        The folder tells it.
        """
        return sig, codegen.magic_tuple()

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
        kernels = dict(zip(KINDS, KERNELS, strict=True))
        for name, kernel in kernels.items():
            if not kernel.signatures:  # one may stand for another
                kernel._cache = kept = _Kept(kernel.py_func, name)
                found = kept.load_overload(_KERNEL, kernel.targetctx)
                if found is not None:
                    kernel.add_overload(found)
        missing = [name for name in KINDS if not kernels[name].signatures]
        for name in watch(missing) if missing else ():
            kernels[name].compile(_KERNEL)
        for number, kernel in enumerate(KERNELS):
            result = kernel.overloads[_KERNEL.args]
            name = result.fndesc.llvm_cfunc_wrapper_name
            places[number] = result.library.get_pointer_to_function(name)
        execute._cache = _Kept(execute.py_func, _LAST)
        execute.compile(_EXECUTE)


def are_kept() -> bool:
    """Return whether all kernels were compiled before."""
    return any(folder().glob(f"{_LAST}*"))
