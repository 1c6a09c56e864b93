"""What is missing for a GPU, told by stand-ins for CuPy: no GPU is needed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from chainer.backends import cuda

from chainer_style.engines import devices
from chainer_style.engines.base import Device
from chainer_style.experiments.rates import Rates
from chainer_style.paper import Cell

DRIVERLESS = (
    "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA "
    "runtime version"
)
UNFOUND = "cannot open shared object file: No such file or directory"


class CUDARuntimeError(RuntimeError):
    """As CuPy's own, a RuntimeError of no other kind."""


def raising(error):
    def function():
        raise error

    return function


@pytest.fixture
def cupy(monkeypatch):
    """CuPy 13 with cuDNN on a machine with two devices; to be broken at will."""
    stand_in = SimpleNamespace(
        __version__="13.6.0",
        cuda=SimpleNamespace(
            runtime=SimpleNamespace(
                getDeviceCount=lambda: 2, CUDARuntimeError=CUDARuntimeError
            ),
            nvrtc=SimpleNamespace(getVersion=lambda: (12, 9)),
        ),
    )
    monkeypatch.setattr(devices, "CUDA_13", "is-not-installed-here")
    monkeypatch.setattr(cuda, "cupy", stand_in)
    monkeypatch.setattr(cuda, "available", True)
    monkeypatch.setattr(cuda, "cudnn_enabled", True)
    monkeypatch.setattr(cuda, "_cupy_major", 13)
    monkeypatch.setattr(cuda, "_cudnn_disabled_by_user", False, raising=False)
    monkeypatch.setattr(cuda, "_resolution_error", None, raising=False)
    return stand_in


def columns():
    rates = Rates((), 1, Path(), Path(), "seeded")
    return {c: rates.obstacle(Cell("nin", 128, c)) for c in ("CPU", "GPU", "cuDNN")}


def assert_only_the_cpu():
    assert columns() == {
        "CPU": None,
        "GPU": "no CUDA device",
        "cuDNN": "no CUDA device",
    }


def test_nothing_is_missing(cupy):
    assert devices.obstacle(Device(1)) is None
    assert columns() == {"CPU": None, "GPU": None, "cuDNN": None}


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ModuleNotFoundError("No module named 'cupy'", name="cupy"), "CuPy is not"),
        (ImportError(f"libcublas.so.12: {UNFOUND}"), "libcublas.so.12"),
        (ImportError('Failure finding "libcublasLt.so.12"\n'), "libcublasLt.so.12"),
        (ImportError(f"\n====\nFailed\n  libfoo.so.1: {UNFOUND}\n===="), "libfoo.so.1"),
        (ImportError(), "ImportError"),
    ],
)
def test_cupy_that_does_not_load(cupy, monkeypatch, error, cause):
    monkeypatch.setattr(cuda, "available", False)
    monkeypatch.setattr(cuda, "_resolution_error", error)
    missing = devices.obstacle(Device(0, cudnn=False))
    assert cause in missing.cause
    assert "\n" not in missing.cause
    assert missing.remedy == "run: pip install 'chainer-style[cuda]'"
    assert_only_the_cpu()


def test_no_driver(cupy, monkeypatch):
    cupy.cuda.runtime.getDeviceCount = raising(CUDARuntimeError(DRIVERLESS))
    missing = devices.obstacle(Device(0))
    assert missing.cause == f"no NVIDIA driver serves one ({DRIVERLESS})"
    assert "driver for CUDA 12" in missing.remedy
    assert_only_the_cpu()


def test_a_device_beyond_the_last(cupy):
    missing = devices.obstacle(Device(2))
    assert missing.reason == "no CUDA device"
    assert missing.cause == "this machine has 2, numbered from 0"


def test_no_compiler(cupy):
    message = f"CuPy failed to load libnvrtc.so.12: OSError: libnvrtc.so.12: {UNFOUND}"
    cupy.cuda.nvrtc.getVersion = raising(RuntimeError(message))
    missing = devices.obstacle(Device(0, cudnn=False))
    assert "libnvrtc.so.12" in missing.cause
    assert "chainer-style[cuda]" in missing.remedy
    assert_only_the_cpu()


def cudnn_library(cupy, monkeypatch):
    text = f"\ncudnn library could not be loaded.\n\nReason: (libcudnn.so.8: {UNFOUND})"
    monkeypatch.setattr(cuda, "_resolution_error", UserWarning(text))
    return "Reason: (libcudnn.so.8: ", "run: pip install 'chainer-style[cuda]'"


def cupy_14(cupy, monkeypatch):
    monkeypatch.setattr(cuda, "_cupy_major", 14)
    text = "the package nvidia-cudnn-frontend is not installed"
    monkeypatch.setattr(cuda, "_resolution_error", ImportError(text))
    return text, "run: pip install 'chainer-style[cuda]'"


def cupy_14_for_cuda_13(cupy, monkeypatch):
    cause = cupy_14(cupy, monkeypatch)[0]
    monkeypatch.setattr(devices, "CUDA_13", "numpy")  # which is installed
    return cause, "run: pip install 'chainer-style[cuda13]'"


def switched_off(cupy, monkeypatch):
    monkeypatch.setattr(cuda, "_cudnn_disabled_by_user", True)
    return "CHAINER_CUDNN is 0", "unset it"


@pytest.mark.parametrize(
    "lacking", [cudnn_library, cupy_14, cupy_14_for_cuda_13, switched_off]
)
def test_no_cudnn_stops_only_what_asks_for_it(cupy, monkeypatch, lacking):
    monkeypatch.setattr(cuda, "cudnn_enabled", False)
    cause, remedy = lacking(cupy, monkeypatch)
    missing = devices.obstacle(Device(0))
    assert cause in missing.cause
    assert missing.remedy == remedy
    assert devices.obstacle(Device(0, cudnn=False)) is None
    assert columns() == {"CPU": None, "GPU": None, "cuDNN": "CuPy has no cuDNN here"}
