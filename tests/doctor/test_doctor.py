"""The whole examination, on machines that are broken in every way."""

from __future__ import annotations

import builtins
import json
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from chainer.backends import cuda as chainer_cuda
from click.testing import CliRunner

from chainer_style import doctor, provenance
from chainer_style.cli import main
from chainer_style.doctor import libraries, printed
from chainer_style.doctor.findings import Finding, Lacking


def by_name(findings, section):
    return {f.what: f for f in findings if f.section == section}


def refuse(monkeypatch, name, error):
    """Make every import of a module raise an error."""
    real = builtins.__import__

    def broken(module, *more, **also):
        if module.partition(".")[0] == name:
            raise error
        return real(module, *more, **also)

    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(builtins, "__import__", broken)


def test_this_machine(bus, no_cupy):
    findings = doctor.examine()
    assert doctor.works(findings)
    assert not [f for f in findings if f.state == "missing"]
    sections = list(dict.fromkeys(f.section for f in findings))
    assert sections == ["Machine", "Libraries", "CUDA", "Trained weights", "Optional"]
    own = by_name(findings, "Libraries")
    assert own["Chainer"].value.startswith("7.8.1, mended by ")
    assert own["NumPy"].value == provenance.environment()["libraries"]["numpy"]
    assert own["Test"].value == "a convolution and its gradient are right"
    assert "thread" in own["BLAS"].value
    cupy = by_name(findings, "CUDA")["CuPy"]
    assert (cupy.state, cupy.value) == ("optional", "not installed")
    assert cupy.remedy == "pip install 'chainer-style[cuda]'"
    assert {f.state for f in findings if f.section == "Trained weights"} == {"optional"}


def test_the_listing_ends_with_what_to_do(bus, no_cupy):
    text = CliRunner().invoke(main, ["doctor"])
    assert text.exit_code == 0
    listing, advice = text.output.split("Everything is here that a run on the CPU")
    assert "  ok  NumPy " in listing
    assert "chainer-style weights fetch vgg16" in advice
    assert "pip install 'chainer-style[cuda]'" in advice


def test_json(bus, no_cupy):
    result = CliRunner().invoke(main, ["doctor", "--json"])
    document = json.loads(result.output)
    assert document["works"] is True
    assert document["findings"][0]["section"] == "Machine"
    assert all(Finding(**finding) for finding in document["findings"])


def test_help_needs_no_heavy_library(bus):
    assert CliRunner().invoke(main, ["doctor", "--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("module", "what", "remedy"),
    [
        ("h5py", "h5py", "h5py"),
        ("PIL", "Pillow", "pillow"),
        ("matplotlib", "Matplotlib", "matplotlib"),
        ("docutils", "docutils", "docutils"),
        ("chainer", "Chainer", "chainer==7.8.1"),
    ],
)
def test_a_library_that_is_not_there(bus, no_cupy, monkeypatch, module, what, remedy):
    monkeypatch.setitem(sys.modules, module, None)
    findings = doctor.examine()
    assert not doctor.works(findings)
    missing = by_name(findings, "Libraries")[what]
    assert (missing.state, missing.needed) == ("missing", True)
    assert missing.value == "not installed"
    assert "pip install " in missing.remedy
    assert remedy in missing.remedy
    assert "Something is missing that every run needs:" in list(printed.lines(findings))
    assert CliRunner().invoke(main, ["doctor"]).exit_code == 1


def test_a_library_that_lacks_another_is_no_library_that_is_not_there(
    bus, no_cupy, monkeypatch
):
    for name in [n for n in sys.modules if n.partition(".")[0] == "requests"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "urllib3", None)
    own = by_name(doctor.examine(), "Libraries")
    assert own["urllib3"].value == "not installed"
    assert "urllib3" in own["requests"].value
    assert own["requests"].value.startswith("ModuleNotFoundError")


def test_a_library_that_is_too_old(bus, no_cupy, monkeypatch):
    from packaging.requirements import Requirement

    wanted = {"tqdm": Requirement("tqdm>=999")}
    monkeypatch.setattr(libraries, "_requirements", Cached(wanted))
    tqdm = by_name(doctor.examine(), "Libraries")["tqdm"]
    assert tqdm.state == "missing"
    assert tqdm.value.endswith("but >=999 is needed")
    assert tqdm.remedy == "pip install 'tqdm>=999'"


class Cached:
    """As a function with a cache."""

    def __init__(self, value):
        self.value = value

    def __call__(self):
        return self.value

    def cache_clear(self):
        pass


def test_an_edited_chainer_is_told(bus, no_cupy, monkeypatch):
    from chainer_style.compat import _edits

    edits = (_edits.Edit("no such text", "", ""),)
    monkeypatch.setitem(_edits.EDITS, "chainer.variable", edits)
    chainer = by_name(doctor.examine(), "Libraries")["Chainer"]
    assert chainer.state == "missing"
    assert "chainer.variable is not the one of Chainer 7.8.1" in chainer.value


def test_wrong_arithmetic_is_told(bus, no_cupy, monkeypatch):
    import chainer

    monkeypatch.setattr(chainer.functions, "sum", lambda x: chainer.functions.max(x))
    test = by_name(doctor.examine(), "Libraries")["Test"]
    assert (test.state, test.value) == ("missing", "a convolution gives wrong numbers")


@pytest.mark.parametrize(
    "error",
    [
        ImportError("libcuda.so.1: cannot open shared object file\n\nmore"),
        RuntimeError("=====\n  CuPy is broken\n====="),
        AttributeError("module 'numpy' has no attribute 'bool'"),
        OSError(),
    ],
)
def test_cupy_that_raises_when_imported(bus, card, monkeypatch, error):
    refuse(monkeypatch, "cupy", error)
    provenance.environment.cache_clear()
    findings = doctor.examine()
    assert doctor.works(findings)
    cupy = by_name(findings, "CUDA")["CuPy"]
    assert cupy.state == "missing"
    assert type(error).__name__ in cupy.value
    assert "\n" not in cupy.value
    assert cupy.remedy == "pip install 'chainer-style[cuda]'"


@pytest.mark.parametrize("broken", [ValueError("no BLAS"), None])
def test_a_blas_that_nobody_knows(bus, no_cupy, monkeypatch, broken):
    def blas():
        if broken:
            raise broken
        return []

    monkeypatch.setattr(provenance, "blas", blas)
    found = doctor.examine()
    assert by_name(found, "Libraries")["BLAS"].state == "missing"
    assert doctor.works(found)


def test_files_of_the_system_that_cannot_be_read(bus, no_cupy, monkeypatch):
    def refused(self, *more, **also):
        if str(self).startswith(("/proc", "/sys", "/etc")):
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *more, **also)

    real = Path.read_text
    monkeypatch.setattr(Path, "read_text", refused)
    monkeypatch.setattr("platform.freedesktop_os_release", raising(OSError()))
    monkeypatch.setattr("os.sysconf", raising(ValueError()))
    provenance.cpu_model.cache_clear()
    try:
        own = by_name(doctor.examine(), "Machine")
    finally:
        provenance.cpu_model.cache_clear()
    assert own["Memory"].value == "unknown"
    assert own["Processor"].value
    assert own["System"].value


def raising(error):
    def function(*more, **also):
        raise error

    return function


def test_an_examination_that_fails_is_a_finding(bus, no_cupy, monkeypatch):
    monkeypatch.setattr(doctor.trained, "findings", raising(KeyError("oh")))
    found = [f for f in doctor.examine() if f.section == "Trained weights"]
    assert [(f.state, f.value) for f in found] == [("missing", "KeyError: 'oh'")]


def test_trained_weights(bus, no_cupy, monkeypatch, tmp_path):
    from chainer_style.weights import folder

    monkeypatch.setenv(folder.VARIABLE, str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "nin_imagenet.caffemodel").write_bytes(b"x" * 2000000)
    (tmp_path / "models" / "vgg16.h5").write_text("not HDF5")
    own = by_name(doctor.examine(), "Trained weights")
    assert own["NIN"].state == "ok"
    assert own["NIN"].value == "nin_imagenet.caffemodel, 2.0 MB"
    assert own["VGG-16"].state == "optional"
    assert "vgg16.h5" in own["VGG-16"].value


def test_a_gpu_as_devicequery_tells_it(card, cupy):
    findings = doctor.examine()
    assert by_name(findings, "Machine")["PCI 0000:01:00.0"].value == (
        "VGA compatible controller: NVIDIA Corporation GM206 [GeForce GTX 960]"
    )
    own = by_name(findings, "CUDA")
    assert {what: own[what].value for what in own} == {
        "CuPy": "13.6.0",
        "Driver": "for CUDA 12.4",
        "Runtime": "12.9",
        "NVRTC": "12.9",
        "cuDNN": "8.9.7",
        "Devices": "2",
        "cuBLAS": "120900",
    }
    first = by_name(findings, "GPU 0")
    assert {what: first[what].value for what in first if what != "Test"} == {
        "Name": "GeForce GTX 960",
        "Compute capability": "5.2",
        "Memory": "4.2 GB",
        "Multiprocessors": "8",
        "Clock": "1342 MHz",
        "Memory clock": "3505 MHz",
        "Memory bus": "128 bit",
        "L2 cache": "1.0 MB",
        "PCI": "0000:01:00.0",
    }
    assert first["Test"].value == "computed"
    assert by_name(findings, "GPU 1")["PCI"].value == "0000:02:00.0"


def test_cuda_13_tells_no_clocks(card, cupy, monkeypatch):
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    without = {k: v for k, v in properties.items() if "lockRate" not in k}
    cupy.cuda.runtime.getDeviceProperties = lambda number: without
    first = by_name(doctor.examine(), "GPU 0")
    assert "Clock" not in first
    assert first["Memory bus"].value == "128 bit"


def test_no_driver(card, cupy):
    cupy.cuda.runtime.driverGetVersion = lambda: 0
    error = cupy.cuda.runtime.CUDARuntimeError("cudaErrorInsufficientDriver: too old")
    cupy.cuda.runtime.getDeviceCount = raising(error)
    findings = doctor.examine()
    assert doctor.works(findings)
    own = by_name(findings, "CUDA")
    assert own["Driver"].state == own["Devices"].state == "missing"
    assert own["Driver"].remedy == "install NVIDIA's driver for CUDA 12 or later"
    assert "no NVIDIA driver serves one" in own["Devices"].value
    assert not [f for f in findings if f.section.startswith("GPU")]
    lines = list(printed.lines(findings))
    assert "To mend what is missing beside:" in lines
    assert any("Driver, Devices  install NVIDIA's driver" in line for line in lines)


def test_cudnn_9_by_way_of_the_frontend(card, cupy, monkeypatch):
    from chainer_style.compat import cudnn

    monkeypatch.setattr(chainer_cuda, "_cupy_major", 14)
    library = SimpleNamespace(getVersion=lambda: 92801)
    monkeypatch.setattr(chainer_cuda, "libcudnn", library)
    monkeypatch.setattr(cudnn, "frontend_version", lambda: "1.22.1")
    own = by_name(doctor.examine(), "CUDA")["cuDNN"]
    assert own.value == "9.28.1, frontend 1.22.1"


def test_no_cudnn(card, cupy, monkeypatch):
    monkeypatch.setattr(chainer_cuda, "cudnn_enabled", False)
    monkeypatch.setattr(
        chainer_cuda, "_resolution_error", UserWarning("(libcudnn.so.8: not there)")
    )
    findings = doctor.examine()
    own = by_name(findings, "CUDA")["cuDNN"]
    assert own.state == "missing"
    assert "libcudnn.so.8" in own.value
    assert own.remedy == "pip install 'chainer-style[cuda]'"
    tests = [f for f in findings if (f.section, f.what) == ("GPU 0", "Test")]
    assert [f.state for f in tests] == ["ok", "missing"]


def test_libraries_that_do_not_load(card, cupy, monkeypatch):
    """CuPy without the wheels of CUDA's libraries, and so Chainer without CuPy."""
    unfound = "cannot open shared object file"
    monkeypatch.setattr(chainer_cuda, "available", False)
    monkeypatch.setattr(chainer_cuda, "cudnn_enabled", False)
    monkeypatch.setattr(chainer_cuda, "cupy", object())
    error = ImportError(f"libcublas.so.12: {unfound}")
    monkeypatch.setattr(chainer_cuda, "_resolution_error", error)
    nvrtc = RuntimeError(f"CuPy failed to load libnvrtc.so.12: {unfound}")
    cupy.cuda.nvrtc.getVersion = raising(nvrtc)
    own = by_name(doctor.examine(), "CUDA")
    for what in ("NVRTC", "cuDNN", "Devices"):
        assert own[what].state == "missing"
        assert unfound in own[what].value
        assert own[what].remedy == "pip install 'chainer-style[cuda]'"
    assert own["CuPy"].state == own["Runtime"].state == "ok"


def test_a_device_that_fails_is_a_finding(card, cupy):
    error = cupy.cuda.runtime.CUDARuntimeError("cudaErrorECCUncorrectable: broken")
    cupy.cuda.runtime.getDeviceProperties = raising(error)
    findings = doctor.examine()
    assert doctor.works(findings)
    assert by_name(findings, "CUDA")["examination"].value.endswith("broken")


def test_warnings_of_libraries_are_no_output(bus, no_cupy, monkeypatch):
    def loud():
        warnings.warn("cuDNN is not enabled", stacklevel=1)
        return []

    monkeypatch.setattr(doctor.cuda, "findings", lambda seen: loud())
    assert doctor.examine()


def test_every_requirement_is_looked_at():
    """What setup.py asks for, the doctor looks for."""
    from packaging.requirements import Requirement

    text = (Path(__file__).parents[2] / "setup.py").read_text()
    block = text.partition("install_requires=[")[2].partition("]")[0]
    lines = [line.strip(' ",\n') for line in block.splitlines()]
    names = {Requirement(line).name for line in lines if line}
    assert names == {"chainer", *libraries.NEEDED}


def test_chainers_command_is_the_documented_one(monkeypatch, tmp_path):
    import chainer_style

    command = libraries.chainer_command()
    readme = (Path(__file__).parents[2] / "README.rst").read_text()
    assert command.partition(" pip ")[0] in readme
    monkeypatch.setattr(chainer_style, "__file__", str(tmp_path / "a" / "b.py"))
    assert "--no-build-isolation chainer==7.8.1" in libraries.chainer_command()


def test_a_newer_python_is_said_to_be_untested(monkeypatch):
    monkeypatch.setattr(libraries, "TESTED", ((3, 8), (3, 9)))
    assert "newer than those tested (3.8 to 3.9)" in libraries._python()


@pytest.mark.parametrize(
    ("module", "state", "value", "remedy"),
    [
        ("get_vendor = lambda: ('MPICH', (5, 0, 2))", "ok", "MPICH 5.0.2", None),
        (
            "raise RuntimeError('cannot load MPI library\\nlibmpi.so: not there')",
            "optional",
            "RuntimeError: cannot load MPI library",
            "pip install mpich",
        ),
        ("raise SystemExit(1)", "optional", "it fails", "pip install mpich"),
    ],
)
def test_the_mpi_library(module, state, value, remedy, monkeypatch, tmp_path):
    (tmp_path / "mpi4py").mkdir()
    rc = "from types import SimpleNamespace\nrc = SimpleNamespace(initialize=True)"
    (tmp_path / "mpi4py" / "__init__.py").write_text(rc)
    (tmp_path / "mpi4py" / "MPI.py").write_text(
        f"import mpi4py\nassert not mpi4py.rc.initialize\n{module}"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(libraries, "_installed", lambda name: "4.1.2")
    found = by_name(libraries.optional(), "Optional")["MPI"]
    assert (found.state, found.value, found.remedy) == (state, value, remedy)


def test_no_mpi4py_looks_for_no_library(monkeypatch):
    def absent(name):
        raise Lacking("not installed")

    monkeypatch.setattr(libraries, "_installed", absent)
    found = by_name(libraries.optional(), "Optional")
    assert found["mpi4py"].remedy == "pip install 'chainer-style[mpi]'"
    assert (found["MPI"].state, found["MPI"].remedy) == ("optional", None)


@pytest.mark.gpu
def test_a_real_gpu():
    findings = doctor.examine()
    first = by_name(findings, "GPU 0")
    assert first["Test"].state == "ok", first["Test"].value
    assert by_name(findings, "CUDA")["Devices"].state == "ok"
