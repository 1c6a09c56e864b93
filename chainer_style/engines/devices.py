"""Whether Chainer can use a CUDA device here, and what is missing where not.

Chainer calls CUDA available as soon as CuPy and cuBLAS load, with or without a
driver, and goes without cuDNN where that is missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata

from chainer.backends import cuda

from chainer_style.engines.base import Device

CUDA_13 = "cupy-cuda13x"
"""The wheel of CuPy whose libraries are those of CUDA 13."""


@dataclass(frozen=True)
class Obstacle:
    """What keeps a device from being used.

    Attributes
    ----------
    reason
        In two or three words, for a record: ``no CUDA device``.
    cause
        What is missing; a library by its name.
    remedy
        What to do.
    """

    reason: str
    cause: str
    remedy: str


NO_DEVICE = "no CUDA device"
NO_CUDNN = "CuPy has no cuDNN here"


def install() -> str:
    """Return the command that installs all that a GPU needs but the driver.

    It is for CUDA 12, which every driver of later releases serves as well, unless the
    CuPy that is there is for CUDA 13.
    """
    try:
        metadata.version(CUDA_13)
    except metadata.PackageNotFoundError:
        return "pip install 'chainer-style[cuda]'"
    return "pip install 'chainer-style[cuda13]'"


def obstacle(device: Device) -> Obstacle | None:
    """Return what keeps a device from being used, or None where it can be.

    Nothing is computed on the device.
    """
    if not device.is_gpu:
        return None
    return _missing_device(device.gpu) or (_missing_cudnn() if device.cudnn else None)


def _missing_device(number: int) -> Obstacle | None:
    if not cuda.available:
        error = cuda._resolution_error
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            return Obstacle(NO_DEVICE, "CuPy is not installed", f"run: {install()}")
        return _unloadable(NO_DEVICE, error)
    runtime = cuda.cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        return Obstacle(
            NO_DEVICE,
            f"no NVIDIA driver serves one ({error})",
            "install NVIDIA's driver for CUDA 12 or later",
        )
    if number >= count:
        cause = f"this machine has {count}, numbered from 0"
        return Obstacle(NO_DEVICE, cause, "choose one of them")
    try:  # Otherwise CuPy looks for its compiler in the midst of the work.
        cuda.cupy.cuda.nvrtc.getVersion()
    except Exception as error:  # of a kind that depends on CuPy's version
        return _unloadable(NO_DEVICE, error)
    return None


def _missing_cudnn() -> Obstacle | None:
    if cuda.cudnn_enabled:
        return None
    if cuda._cudnn_disabled_by_user:
        return Obstacle(NO_CUDNN, "the variable CHAINER_CUDNN is 0", "unset it")
    if cuda._cupy_major >= 14:
        # Its text is of chainer_style.compat.cudnn and names what is missing.
        lines = str(cuda._resolution_error).strip().splitlines()
        return Obstacle(NO_CUDNN, lines[0], f"run: {install()}")
    return _unloadable(NO_CUDNN, cuda._resolution_error)


def _unloadable(reason: str, error: Exception) -> Obstacle:
    """Tell of a library that does not load, by what CuPy says of it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    named = [line for line in lines if re.search(r"\blib\w+\.so", line)]
    cause = f"CuPy cannot load a library: {(named or lines)[0].strip()}"
    return Obstacle(reason, cause, f"run: {install()}")
