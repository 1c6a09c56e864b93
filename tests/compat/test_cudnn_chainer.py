"""Chainer with and without what is written anew, on CuPy 13 and 14 that are made up."""

from __future__ import annotations

import re
import textwrap
from importlib import metadata
from pathlib import Path

import chainer
import pytest
from chainer.backends import cuda

from chainer_style.compat.cudnn import functions, library

CUPY = """
    from unittest.mock import MagicMock

    __version__ = "{version}"
    ndarray = type("ndarray", (), {{}})

    def __getattr__(name):
        if name.startswith("_") or name == "cudnn":
            raise AttributeError(name)
        return MagicMock()
"""

CUDA = """
    import importlib

    cuda = importlib.import_module("cupy.cuda")
"""

FRONTEND = """
    __version__ = "1.22.1"
    pygraph = object
    backend_version = lambda: 92801
"""

PREPARED = """
    import chainer_style
    from chainer_style.compat.cudnn import _libraries

    class Library:
        cudnnGetVersion = staticmethod(lambda: {number})

    def no_library():
        raise ImportError("libcudnn.so.9: cannot open shared object file")

    _libraries.library = {library}
    import chainer
    from chainer.backends import cuda
"""


def write_package(folder, name, **modules):
    (folder / name).mkdir()
    for module, source in {"__init__": "", **modules}.items():
        (folder / name / f"{module}.py").write_text(textwrap.dedent(source))


@pytest.fixture
def packages(tmp_path):
    """Lay out CuPy of a version, and NVIDIA's frontend unless there is to be none."""

    def lay_out(version="14.2.0", frontend=FRONTEND):
        source = CUPY.format(version=version)
        util = "class PerformanceWarning(Warning): pass"
        write_package(tmp_path, "cupy", __init__=source + CUDA, _util=util)
        write_package(tmp_path / "cupy", "cuda", __init__=source)
        write_package(tmp_path, "cupyx")
        write_package(tmp_path / "cupyx", "scipy", special="")
        write_package(tmp_path / "cupyx/scipy", "linalg")
        none = "raise ModuleNotFoundError('no cudnn', name='cudnn')"
        text = none if frontend is None else frontend
        write_package(tmp_path, "cudnn", __init__=text)
        return tmp_path

    return lay_out


def prepared(*code, number=92801, there=True):
    found = "lambda: Library" if there else "no_library"
    start = textwrap.dedent(PREPARED).format(number=number, library=found)
    return start + "".join(map(textwrap.dedent, code))


REPORT = """
    print(cuda.available, cuda.cudnn_enabled, cuda._cudnn_version)
    if not cuda.cudnn_enabled:
        print(cuda._resolution_error)
"""


def test_cupy_14_has_cudnn_again(python, packages):
    code = """
        import sys, cupy
        from chainer_style.compat.cudnn import frontend_version
        assert cuda.cudnn.__name__ == "chainer_style.compat.cudnn.functions"
        assert cuda.libcudnn is cuda.cuda.cudnn
        assert cuda.cuda.runtime and "cudnn" in dir(cuda.cuda)
        assert not hasattr(cupy.cuda, "cudnn") and "cupy.cudnn" not in sys.modules
        cuda.set_max_workspace_size(108)
        assert cuda.cudnn.get_max_workspace_size() == 108
        assert chainer.should_use_cudnn(">=auto")
        assert not chainer.should_use_cudnn("==always")
        assert not chainer.should_use_cudnn(">=auto", 5000)
        with chainer.using_config("use_cudnn", "always"):
            assert chainer.should_use_cudnn("==always")
            assert not chainer.should_use_cudnn(">=auto", 5000)
        from chainer.functions.normalization import batch_normalization
        batch_normalization.BatchNormalization(eps=1e-9)
        print(frontend_version())
    """
    output = python("-c", prepared(REPORT, code), path=packages())
    assert output == "True True 92801\n1.22.1\n"


@pytest.mark.parametrize(
    ("frontend", "number", "there", "error"),
    [
        (None, 92801, True, "the package nvidia-cudnn-frontend is not installed"),
        (FRONTEND, 92801, False, "libcudnn.so.9: cannot open shared object file"),
        (FRONTEND, 8907, True, "libcudnn.so.9 is cuDNN of version 8907, not 9"),
        ("", 92801, True, "the module cudnn is not that of nvidia-cudnn-frontend"),
        (
            FRONTEND,
            91000,
            True,
            "two cuDNNs are loaded: libcudnn.so.9 is 91000, nvidia-cudnn-frontend has "
            "92801",
        ),
    ],
)
def test_what_is_missing_is_named(python, packages, frontend, number, there, error):
    code = prepared(REPORT, number=number, there=there)
    output = python("-c", code, path=packages(frontend=frontend))
    assert output == f"True False -1\n{error}\n"


def test_a_frontend_that_misses_something_else(python, packages):
    broken = "raise ModuleNotFoundError('No module named ctypes', name='ctypes')"
    output = python("-c", prepared(REPORT), path=packages(frontend=broken))
    assert output == "True False -1\nNo module named ctypes\n"


@pytest.mark.parametrize("before", [False, True])
def test_pytorch_is_not_imported_by_the_way(python, packages, before):
    optional = """
        try:
            import torch
        except ImportError:
            torch = None
    """
    folder = packages(frontend=textwrap.dedent(FRONTEND) + textwrap.dedent(optional))
    (folder / "torch.py").write_text("print('PyTorch')")
    code = """
        import sys
        print(cuda.cudnn_enabled, sys.modules["cudnn"].torch is not None)
        import torch
    """
    code = "import torch\n" * before + prepared(code)
    said = [f"True {before}", "PyTorch"]
    assert python("-c", code, path=folder).splitlines() == said[:: 1 - 2 * before]


def test_chainers_variable_switches_it_off(python, packages):
    code = "import os; os.environ['CHAINER_CUDNN'] = '0'\n" + prepared(
        "print(cuda.cudnn_enabled, chainer.should_use_cudnn('>=auto', 1))"
    )
    assert python("-c", code, path=packages()) == "False False\n"


def test_cupy_13_keeps_its_own(python, packages):
    folder = packages("13.6.0")
    own = "getVersion = lambda: 8907\nfrom unittest.mock import MagicMock\n"
    own += "__getattr__ = lambda name: MagicMock()"
    (folder / "cupy/cudnn.py").write_text("own = 1")
    (folder / "cupy/cuda/cudnn.py").write_text(own)
    code = """
        import sys, cupy
        assert cuda.cudnn is cupy.cudnn and cuda.libcudnn is cupy.cuda.cudnn
        assert cuda.cuda is cupy.cuda
        assert chainer.should_use_cudnn(">=auto", 5000)
        assert "chainer_style.compat.cudnn.functions" not in sys.modules
        assert "cudnn" not in sys.modules
    """
    assert python("-c", prepared(REPORT, code), path=folder) == "True True 8907\n"


@pytest.mark.parametrize(("major", "expected"), [(13, True), (14, False)])
def test_what_is_not_written_anew_is_chainers_own(monkeypatch, major, expected):
    monkeypatch.setattr(cuda, "_cudnn_version", 92801)
    monkeypatch.setattr(cuda, "_cupy_major", major)
    for use in ("auto", "always"):
        with chainer.using_config("use_cudnn", use):
            assert chainer.should_use_cudnn(">=auto", 5000) is expected
            assert chainer.should_use_cudnn(">=auto") is True
    with chainer.using_config("use_cudnn", "never"):
        assert chainer.should_use_cudnn(">=auto") is False


CHAINER = Path(chainer.__file__).parent
GUARD = "should_use_cudnn('>=auto', 5000)"
OF_LIBRARY = re.compile(r"\b(?:libcudnn|cuda\.cuda\.cudnn)\.(\w+)")
OF_FUNCTIONS = re.compile(r"(?<!\.cuda\.)\bcudnn\.(\w+)\(")


def test_all_that_chainer_asks_for_is_there_or_guarded():
    missing = {}
    for path in CHAINER.rglob("*.py"):
        source = path.read_text("utf-8")
        lacking = {n for n in OF_LIBRARY.findall(source) if not hasattr(library, n)}
        if path.parts[-2:] != ("backends", "cuda.py"):
            names = OF_FUNCTIONS.findall(source)
            lacking |= {n for n in names if not hasattr(functions, n)} - {"getVersion"}
        if lacking:
            missing[path.name] = lacking
            assert GUARD in source, path
    assert set(missing) == {
        "batch_normalization.py",
        "group_normalization.py",
        "n_step_rnn.py",
        "spatial_transformer_grid.py",
        "spatial_transformer_sampler.py",
    }


def test_only_what_is_guarded_asks_for_a_version():
    asking = {
        path.name
        for path in CHAINER.rglob("*.py")
        if re.search(r"should_use_cudnn\([^)]*, ?\w", path.read_text("utf-8"))
    }
    assert asking == {
        "batch_normalization.py",
        "cuda.py",  # where it is defined
        "dropout.py",
        "group_normalization.py",
        "n_step_gru.py",
        "n_step_lstm.py",
        "n_step_rnn.py",
        "spatial_transformer_grid.py",
        "spatial_transformer_sampler.py",
    }


def _missing_wheels():
    installed = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    cupy = [installed.get(f"cupy-cuda{n}x", "").partition(".")[0] for n in (12, 13)]
    if "14" not in cupy:
        return "needs CuPy 14"
    wheel = f"nvidia-cudnn-cu{12 + cupy.index('14')}"
    wanted = {wheel, "nvidia-cudnn-frontend"}
    return ", ".join(sorted(f"needs {w}" for w in wanted - installed.keys()))


@pytest.mark.skipif(bool(_missing_wheels()), reason=_missing_wheels())
def test_chainer_finds_the_real_libraries(python):
    """All but a driver is there."""
    code = """
        import chainer_style, chainer
        from chainer.backends import cuda
        assert cuda.available and cuda.cudnn_enabled, cuda._resolution_error
        assert cuda.libcudnn.getVersion() >= 90000, cuda.libcudnn.getVersion()
        with open("/proc/self/maps") as maps:
            found = {line.split()[-1] for line in maps if "libcudnn.so" in line}
        assert len(found) == 1, found
    """
    assert python("-c", textwrap.dedent(code)) == ""
