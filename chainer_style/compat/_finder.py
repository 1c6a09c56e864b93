"""The mechanism: a finder that edits Chainer's modules while they load."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType


class EditingLoader(SourceFileLoader):
    """Loads a module of Chainer from its file, edited.

    Everything that reads the source reads it through `get_data`, so compiling
    and `inspect.getsource` follow without more ado.
    """

    def get_data(self, path: str) -> bytes:
        """Return the bytes of a file, edited where it is the module's own."""
        from chainer_style.compat._edits import edited

        data = super().get_data(path)
        return edited(self.name, data.decode()).encode() if path == self.path else data

    def path_stats(self, path: str) -> dict[str, float]:
        """Say that the bytecode cache is of no use, by raising OSError.

        It belongs to the unedited file. A second cache would save some 40 ms of
        the second that ``import chainer`` takes.
        """
        raise OSError(f"{path} is compiled from edited source")


class EditingFinder:
    """Finds the modules of Chainer that need an edit, and no other module."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return a spec with an `EditingLoader`, or None for other modules.

        Before CuPy, CUDA's libraries are loaded (see `_cuda_libraries`).

        Raises
        ------
        ImportError
            `fullname` is ``chainer`` and another version of it is installed.
        """
        if fullname.partition(".")[0] not in ("chainer", "chainermn", "cupy"):
            return None
        from chainer_style.compat import _cuda_libraries

        if fullname in _cuda_libraries.USERS:
            _cuda_libraries.load()
        from chainer_style.compat._edits import EDITS

        if fullname == "chainer":
            _check_version()
        if fullname not in EDITS:
            return None
        spec = self._find_spec_elsewhere(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = EditingLoader(fullname, spec.origin)
        return spec

    def _find_spec_elsewhere(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    return spec
        return None


def _check_version() -> None:
    from importlib import metadata

    from chainer_style.compat._edits import VERSIONS

    try:
        version = metadata.version("chainer")
    except metadata.PackageNotFoundError:
        return  # Not installed, or a source tree: then its text is the check.
    if version not in VERSIONS:
        raise ImportError(
            f"chainer {version} is installed, but chainer_style works with "
            f"chainer {VERSIONS[0]}; run: pip install chainer=={VERSIONS[0]}",
            name="chainer",
        )


def install() -> None:
    """Make every later ``import chainer`` work on today's libraries.

    Chainer's modules are edited in memory while they load. Nothing is
    imported, and no other library is touched. ``import chainer_style`` calls
    this; a second call does nothing.

    Raises
    ------
    ImportError
        Chainer, or a part of it, was imported before and is not edited.
    """
    if any(isinstance(finder, EditingFinder) for finder in sys.meta_path):
        return
    if any(name == "chainer" or name.startswith("chainer.") for name in sys.modules):
        raise ImportError(
            "chainer was imported before chainer_style and cannot be edited any "
            "more; import chainer_style first, in a new Python process",
            name="chainer",
        )
    sys.meta_path.insert(0, EditingFinder())
