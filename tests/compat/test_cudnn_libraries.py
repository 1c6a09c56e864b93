"""Where libcudnn and the frontend are found, and what the real ones say."""

from __future__ import annotations

import ctypes
import re
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from chainer_style.compat.cudnn import _descriptors, _libraries, _status, library

UNFOUND = "libcudnn.so.9: cannot open shared object file: No such file or directory"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty folder that stands for ``site-packages``; nothing is loaded yet."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    _libraries.library.cache_clear()
    _libraries.frontend.cache_clear()
    yield tmp_path
    _libraries.library.cache_clear()
    _libraries.frontend.cache_clear()


@pytest.fixture
def loaded(monkeypatch):
    """The names that are asked for of the system's loader."""
    names = []

    def open_library(name):
        names.append(name)
        return SimpleNamespace(
            cudnnGetVersion=SimpleNamespace(), cudnnGetErrorString=SimpleNamespace()
        )

    monkeypatch.setattr(_libraries.ctypes, "CDLL", open_library)
    return names


def install(site, wheel, file=True):
    info = site / f"{wheel.replace('-', '_')}-9.28.0.42.dist-info"
    info.mkdir()
    text = f"Metadata-Version: 2.1\nName: {wheel}\nVersion: 9.28.0.42\n"
    (info / "METADATA").write_text(text)
    path = site / "nvidia/cudnn/lib/libcudnn.so.9"
    if file:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(path)


@pytest.mark.parametrize("wheel", _libraries.WHEELS)
def test_the_wheels_library_comes_first(site, loaded, wheel):
    path = install(site, wheel)
    found = _libraries.library()
    assert loaded == [path]
    assert found.cudnnGetVersion.restype is ctypes.c_size_t
    assert found.cudnnGetErrorString.restype is ctypes.c_char_p
    assert _libraries.library() is found


@pytest.mark.parametrize("wheel", [None, *_libraries.WHEELS])
def test_then_the_systems(site, loaded, wheel):
    if wheel:
        install(site, wheel, file=False)
    _libraries.library()
    assert loaded == ["libcudnn.so.9"]


def test_none_at_all(site, monkeypatch):
    def refuse(name):
        raise OSError(UNFOUND)

    monkeypatch.setattr(_libraries.ctypes, "CDLL", refuse)
    with pytest.raises(ImportError, match=re.escape(UNFOUND)):
        _libraries.library()


def test_no_frontend(site, monkeypatch):
    monkeypatch.delitem(sys.modules, "cudnn", raising=False)
    with pytest.raises(ImportError, match="nvidia-cudnn-frontend is not installed"):
        _libraries.frontend()


@pytest.mark.parametrize("finder", [True, False])
def test_libraries_that_cudnn_opens(monkeypatch, finder):
    asked = []

    def find(name):
        asked.append(name)
        raise RuntimeError("not found")

    module = ModuleType("cuda.pathfinder")
    module.load_nvidia_dynamic_lib = find
    monkeypatch.setitem(sys.modules, "cuda", ModuleType("cuda"))
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", module if finder else None)
    _libraries.load_what_cudnn_opens.cache_clear()
    _libraries.load_what_cudnn_opens()
    _libraries.load_what_cudnn_opens()
    assert asked == ["nvrtc", "cublasLt"] * finder
    _libraries.load_what_cudnn_opens.cache_clear()


def _wheel():
    for name in _libraries.WHEELS:
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        return Path(str(found.locate_file("nvidia/cudnn")))
    return None


needs_wheel = pytest.mark.skipif(
    _wheel() is None, reason=f"needs {' or '.join(_libraries.WHEELS)}"
)


@needs_wheel
def test_numbers_are_those_of_the_headers():
    text = "".join(
        path.read_text(errors="replace") for path in _wheel().glob("include/*_v9.h")
    )
    told = dict(re.findall(r"\b(CUDNN_\w+)(?: CUDNN_\w+)?\s*=\s*(\d+)", text))
    told |= dict(re.findall(r"#define (CUDNN_BN_MIN_EPSILON)\s+([\d.]+)", text))
    own = {n: v for n, v in vars(library).items() if n.startswith("CUDNN_")}
    assert own == {name: type(own[name])(float(told[name])) for name in own}


@needs_wheel
def test_the_real_library_takes_descriptors():
    """It does without a device."""
    assert library.getVersion() >= 90000
    with (
        _descriptors.tensor((2, 3, 4, 5), "float32") as of_x,
        _descriptors.activation(library.CUDNN_ACTIVATION_RELU, 0.5) as how,
        _descriptors.pooling((2, 3), (1, 2), (0, 1), 1) as window,
    ):
        kind, count = ctypes.c_int(-1), ctypes.c_int()
        lengths, strides = (ctypes.c_int * 4)(), (ctypes.c_int * 4)()
        _status.call(
            "cudnnGetTensorNdDescriptor",
            of_x,
            ctypes.c_int(4),
            ctypes.byref(kind),
            ctypes.byref(count),
            lengths,
            strides,
        )
        assert (kind.value, count.value) == (library.CUDNN_DATA_FLOAT, 4)
        assert (tuple(lengths), tuple(strides)) == ((2, 3, 4, 5), (60, 20, 5, 1))
        mode, nan, coefficient = ctypes.c_int(), ctypes.c_int(), ctypes.c_double()
        _status.call(
            "cudnnGetActivationDescriptor",
            how,
            ctypes.byref(mode),
            ctypes.byref(nan),
            ctypes.byref(coefficient),
        )
        assert (mode.value, nan.value, coefficient.value) == (1, 0, 0.5)
        pooled = (ctypes.c_int * 4)()
        _status.call(
            "cudnnGetPoolingNdForwardOutputDim", window, of_x, ctypes.c_int(4), pooled
        )
        assert tuple(pooled) == (2, 3, 3, 3)


@needs_wheel
def test_the_real_library_says_what_is_wrong():
    with (
        pytest.raises(
            _status.CuDNNError,
            match="cudnnSetTensorNdDescriptor: CUDNN_STATUS_BAD_PARAM",
        ),
        _descriptors.tensor((2, -3, 4, 5), "float32"),
    ):
        pass
