from __future__ import annotations

import sys
import textwrap
from importlib import metadata
from types import SimpleNamespace

import pytest

from chainer_style.compat import _cuda_libraries
from chainer_style.compat._cuda_libraries import LIBRARIES, load

EXTRA = ("cublas", "cuda_nvrtc", "cudnn", "curand")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty folder that stands for ``site-packages``, and no other."""
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("CUPY_CUDA_LIB_PATH", str(tmp_path / "cuda_lib"))
    return tmp_path / "site"


@pytest.fixture
def system(monkeypatch):
    """Names that the system's loader knows, and what was loaded."""
    found = SimpleNamespace(known=set(), loaded=[])

    def open_library(name):
        if "/" not in name and name not in found.known:
            raise OSError(f"{name}: cannot open shared object file")
        found.loaded.append(name)

    monkeypatch.setattr(_cuda_libraries.ctypes, "CDLL", open_library)
    return found


def install(site, name, version, *files):
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    )
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).touch()


def install_extra(site, cupy="13.6.0"):
    """Lay out what the extra installs; return the paths of the libraries."""
    install(site, "cupy-cuda12x", cupy)
    files = {}
    for library, folder in LIBRARIES.items():
        if folder in EXTRA:
            files[library] = f"nvidia/{folder}/lib/{library}"
            wheel = f"nvidia-{folder}-cu12".replace("_", "-")
            install(site, wheel, "1.0", files[library])
    return {library: str(site / file) for library, file in files.items()}


def test_wheels_are_loaded_where_the_system_has_nothing(site, system):
    paths = install_extra(site)
    load()
    assert system.loaded == list(paths.values())


def test_the_systems_own_come_first(site, system):
    paths = install_extra(site)
    system.known = set(paths) - {"libcudnn.so.8"}
    load()
    assert set(system.loaded) == system.known | {paths["libcudnn.so.8"]}


def test_cudnn_that_cupy_fetched_comes_first(site, system, tmp_path):
    paths = install_extra(site)
    (tmp_path / "cuda_lib/12.x/cudnn/8.8.1").mkdir(parents=True)
    load()
    del paths["libcudnn.so.8"]
    assert system.loaded == list(paths.values())


@pytest.mark.parametrize("version", ["12.3.0", "14.2.0", None])
def test_other_versions_of_cupy_are_left_alone(site, system, version):
    install_extra(site, version or "13.6.0")
    if version is None:
        next(site.glob("cupy*")).joinpath("METADATA").unlink()
        next(site.glob("cupy*")).rmdir()
    system.known = set(LIBRARIES)
    load()
    assert system.loaded == []


def test_other_systems_are_left_alone(site, system, monkeypatch):
    install_extra(site)
    monkeypatch.setattr(sys, "platform", "win32")
    load()
    assert system.loaded == []


def test_missing_and_broken_wheels_are_left_to_cupy(site, system, monkeypatch):
    install(site, "cupy-cuda12x", "13.6.0")
    install(site, "nvidia-cublas-cu12", "12.9.3.13")  # without its file
    install(site, "nvidia-cudnn-cu12", "8.9.7.29", "nvidia/cudnn/lib/libcudnn.so.8")
    tried = []

    def refuse(name):
        tried.append(name)
        raise OSError("invalid ELF header")

    monkeypatch.setattr(_cuda_libraries.ctypes, "CDLL", refuse)
    load()
    assert [name for name in tried if "/" in name] == [
        str(site / "nvidia/cudnn/lib/libcudnn.so.8")
    ]


@pytest.mark.parametrize(
    ("code", "calls"),
    [
        ("import cupy", 1),
        ("import cupy.cudnn", 1),
        ("import chainer", 2),
        ("import json", 0),
    ],
)
def test_they_are_loaded_before_cupy(python, tmp_path, code, calls):
    (tmp_path / "cupy").mkdir()
    (tmp_path / "cupy/__init__.py").write_text("print('cupy')")
    (tmp_path / "cupy/cudnn.py").touch()
    program = f"""
        import chainer_style
        from chainer_style.compat import _cuda_libraries
        _cuda_libraries.load = lambda: print("load")
        {code}
    """
    output = python("-c", textwrap.dedent(program), path=tmp_path).split()
    assert output == calls * ["load"] + (["cupy"] if calls else [])


def _missing_wheels():
    wheels = {f"nvidia-{folder.replace('_', '-')}-cu12" for folder in EXTRA}
    installed = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    if not installed.get("cupy-cuda12x", "").startswith("13."):
        return "needs cupy-cuda12x 13"
    return ", ".join(sorted(f"needs {w}" for w in wheels - installed.keys()))


needs_extra = pytest.mark.skipif(bool(_missing_wheels()), reason=_missing_wheels())


@needs_extra
def test_chainer_finds_the_real_libraries(python):
    """All but a driver is there."""
    code = """
        import chainer_style, chainer
        from chainer.backends import cuda
        assert cuda.available and cuda.cudnn_enabled, cuda._resolution_error
        assert cuda.libcudnn.getVersion() >= 8900, cuda.libcudnn.getVersion()
        assert cuda.cupy.cuda.nvrtc.getVersion() >= (12, 0)
        import cupy.random
    """
    assert python("-c", textwrap.dedent(code)) == ""


@needs_extra
def test_kernels_compile_without_a_toolkit(python, tmp_path):
    """With the wheels' headers, also where a toolkit has no others to offer."""
    code = f"""
        import os
        os.environ["CUDA_PATH"] = {str(tmp_path)!r}
        import chainer_style
        from cupy.cuda import compiler
        from cupy._core import core

        def compile_for_devices(source, options, *others, **more):
            options += compiler._get_extra_include_dir_opts()
            for arch in "sm_52", "sm_90":
                program = compiler._NVRTCProgram(source, "kernel.cu", method="cubin")
                code, _ = program.compile((*options, "-arch=" + arch))
                assert code[:4] == b"\\x7fELF"
                print(arch)

        compiler._compile_module_with_cache = compile_for_devices
        core.compile_with_cache('''
            extern "C" __global__ void twice(CArray<float16, 1, 1, 1> x, float* y) {{
                y[threadIdx.x] = 2 * float(x[threadIdx.x]);
            }}
        ''')
    """
    output = python("-c", textwrap.dedent(code))
    assert output.split() == ["sm_52", "sm_90"]
