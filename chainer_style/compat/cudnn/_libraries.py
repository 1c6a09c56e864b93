"""Finds and loads libcudnn and NVIDIA's frontend of it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

LIBRARY = "libcudnn.so.9"
WHEELS = ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13")
FRONTEND = "nvidia-cudnn-frontend"


def load() -> None:
    """Load both.

    Raises
    ------
    ImportError
        One of them is missing or does not load; the text names it.
    """
    found = library().cudnnGetVersion()
    if found < 90000:
        raise ImportError(f"{LIBRARY} is cuDNN of version {found}, not 9")
    if (other := frontend().backend_version()) != found:
        raise ImportError(
            f"two cuDNNs are loaded: {LIBRARY} is {found}, {FRONTEND} has {other}"
        )


@functools.cache
def library() -> Any:
    """Return libcudnn, of its wheel if that is installed, else of the system.

    The frontend looks in the same order. What it finds has the same name, so that it
    is the same library in memory.
    """
    path = _in_wheel()
    try:
        loaded = ctypes.CDLL(str(path or LIBRARY))
    except OSError as error:
        # The message of the system's loader begins with the name of the library.
        raise ImportError(str(error)) from None
    loaded.cudnnGetVersion.restype = ctypes.c_size_t
    loaded.cudnnGetErrorString.restype = ctypes.c_char_p
    return loaded


@functools.cache
def frontend() -> Any:
    """Return the frontend's module.

    It would import PyTorch, where that is installed, for a class that is of no use
    here: seconds of time, and other copies of CUDA's libraries.
    """
    try:
        with _hidden("torch"):
            module = import_module("cudnn")
    except ModuleNotFoundError as error:
        if error.name != "cudnn":
            raise
        message = f"the package {FRONTEND} is not installed"
        raise ImportError(message, name="cudnn") from None
    if not hasattr(module, "pygraph"):
        raise ImportError(f"the module cudnn is not that of {FRONTEND}", name="cudnn")
    return module


@functools.cache
def load_what_cudnn_opens() -> None:
    """Load the libraries that cuDNN opens by name when it computes.

    The system's loader does not know those in wheels. CuPy's own finder does.
    """
    with contextlib.suppress(ImportError):
        pathfinder = import_module("cuda.pathfinder")
        for name in ("nvrtc", "cublasLt"):
            # cuDNN says so itself where it needs one that is not there.
            with contextlib.suppress(Exception):
                pathfinder.load_nvidia_dynamic_lib(name)


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Let imports of a module fail that has not been imported before."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


def _in_wheel() -> Path | None:
    for wheel in WHEELS:
        try:
            distribution = metadata.distribution(wheel)
        except metadata.PackageNotFoundError:
            continue
        path = Path(str(distribution.locate_file(f"nvidia/cudnn/lib/{LIBRARY}")))
        if path.is_file():
            return path
    return None
