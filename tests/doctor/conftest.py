"""A machine made of files, and stand-ins for CuPy: no GPU is needed."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from chainer.backends import cuda as chainer_cuda

from chainer_style import doctor
from chainer_style.doctor import cards, libraries
from chainer_style.engines import devices

PCI_IDS = """\
# made up
10dd  Another
\t1401  Not this one
10de  NVIDIA Corporation
\t1401  GM206 [GeForce GTX 960]
\t\t1043 8520  STRIX
# a remark
\t0fba  GM206 High Definition Audio Controller
10df  Last
\t2335  Not this one either
"""


class CUDARuntimeError(RuntimeError):
    """As CuPy's own, a RuntimeError of no other kind."""


@pytest.fixture
def bus(tmp_path, monkeypatch):
    """An empty machine; call it to put a device on its bus."""
    devices, driver = tmp_path / "devices", tmp_path / "driver"
    devices.mkdir()
    ids = tmp_path / "pci.ids"
    ids.write_text(PCI_IDS)
    monkeypatch.setattr(cards, "DEVICES", devices)
    monkeypatch.setattr(cards, "DRIVER", driver)
    monkeypatch.setattr(cards, "NAMES", (tmp_path / "none", ids))

    def add(address, vendor, device, kind, model=None):
        folder = devices / address
        folder.mkdir()
        for name, text in (("vendor", vendor), ("device", device), ("class", kind)):
            (folder / name).write_text(f"0x{text}\n")
        if model:
            information = driver / "gpus" / address / "information"
            information.parent.mkdir(parents=True)
            information.write_text(f"Model: \t\t {model}\nIRQ:   \t\t 35\n")
        return folder

    return add


@pytest.fixture
def card(bus):
    bus("0000:01:00.0", "10de", "1401", "030000")


PROPERTIES = {
    "name": b"GeForce GTX 960",
    "totalGlobalMem": 4228317184,
    "multiProcessorCount": 8,
    "major": 5,
    "minor": 2,
    "clockRate": 1342000,
    "memoryClockRate": 3505000,
    "memoryBusWidth": 128,
    "l2CacheSize": 1048576,
}


@pytest.fixture
def cupy(monkeypatch):
    """CuPy 13 with cuDNN on a machine with two devices; to be broken at will."""
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 2,
        getDeviceProperties=lambda number: PROPERTIES,
        deviceGetPCIBusId=lambda number: f"0000:0{number + 1}:00.0",
        driverGetVersion=lambda: 12040,
        runtimeGetVersion=lambda: 12090,
        CUDARuntimeError=CUDARuntimeError,
    )
    module = ModuleType("cupy")
    module.__version__ = "13.6.0"
    module.ones = np.ones
    module.cuda = SimpleNamespace(
        runtime=runtime,
        nvrtc=SimpleNamespace(getVersion=lambda: (12, 9)),
        cublas=SimpleNamespace(getVersion=lambda handle: 120900),
        device=SimpleNamespace(get_cublas_handle=lambda: 7),
        Device=_Device,
    )
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(chainer_cuda, "cupy", module)
    monkeypatch.setattr(chainer_cuda, "available", True)
    monkeypatch.setattr(chainer_cuda, "cudnn_enabled", True)
    libcudnn = SimpleNamespace(getVersion=lambda: 8907)
    monkeypatch.setattr(chainer_cuda, "libcudnn", libcudnn, raising=False)
    monkeypatch.setattr(chainer_cuda, "_cupy_major", 13)
    monkeypatch.setattr(chainer_cuda, "_cudnn_disabled_by_user", False, raising=False)
    monkeypatch.setattr(chainer_cuda, "_resolution_error", None, raising=False)
    # Chainer cannot compute with a stand-in, nor beside one.
    for home in (libraries, doctor.cuda):
        monkeypatch.setattr(home, "convolution", lambda xp=None: "computed")
    return module


class _Device:
    def __init__(self, number):
        self.number = number

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


@pytest.fixture
def no_cupy(monkeypatch):
    # None makes `import cupy` raise ModuleNotFoundError.
    monkeypatch.setitem(sys.modules, "cupy", None)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No test sees the requirements that another one read, or the CuPy that is here."""
    monkeypatch.setattr(devices, "CUDA_13", "is-not-installed-here")
    yield
    libraries._requirements.cache_clear()
