"""CUDA's libraries as pip installs them, for CuPy 13.

CuPy 13 is the last with a wrapper of cuDNN, of version 8. It opens CUDA's libraries by
name, so it finds those of a CUDA toolkit that the system's loader knows, but not those
that NVIDIA's wheels put under ``site-packages/nvidia``; only for headers does it look
there. A library that is already loaded is found by its name, though. So before CuPy
is imported, each library of the list that the loader does not find is loaded from
its wheel, if that is installed.

A library of a toolkit is used where there is one, and a cuDNN that CuPy's
own ``cupyx.tools.install_library`` fetched comes first. CuPy 14 finds the wheels
itself and is left alone, as are systems other than Linux.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

CUPY = "cupy-cuda12x"
"""The wheel of CuPy that is linked against these libraries."""

LIBRARIES = {
    "libnvrtc.so.12": "cuda_nvrtc",
    "libcublas.so.12": "cublas",
    "libcurand.so.10": "curand",
    "libcudnn.so.8": "cudnn",
    # Style transfer has no use for these.
    "libcufft.so.11": "cufft",
    "libcusparse.so.12": "cusparse",
    "libcusolver.so.11": "cusolver",
}
"""Name of each library, and the folder of its wheel under ``nvidia``."""

USERS = frozenset({"cupy", "chainer.backends.cuda"})
"""The modules before which to load them: Chainer's too, as CuPy itself may have
been imported earlier. It opens most of them only when they are used."""


def load() -> None:
    """Load what CuPy 13 would not find. A second call does nothing new."""
    if sys.platform != "linux" or not (_version(CUPY) or "").startswith("13."):
        return
    for library, folder in LIBRARIES.items():
        if library == "libcudnn.so.8" and _cudnn_of_cupy().is_dir():
            continue
        # What cannot be loaded is CuPy's to report, when it is used.
        with contextlib.suppress(OSError):
            ctypes.CDLL(library)
            continue
        if (path := _in_wheel(library, folder)) is not None:
            with contextlib.suppress(OSError):
                ctypes.CDLL(str(path))


def _version(distribution: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _in_wheel(library: str, folder: str) -> Path | None:
    from importlib import metadata

    wheel = f"nvidia-{folder.replace('_', '-')}-cu12"
    try:
        distribution = metadata.distribution(wheel)
    except metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(f"nvidia/{folder}/lib/{library}")))
    return path if path.is_file() else None


def _cudnn_of_cupy() -> Path:
    """Return where ``python -m cupyx.tools.install_library`` puts cuDNN."""
    root = os.environ.get("CUPY_CUDA_LIB_PATH") or "~/.cupy/cuda_lib"
    return Path(root).expanduser() / "12.x" / "cudnn"
