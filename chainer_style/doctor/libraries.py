"""Python, and the libraries that are needed or of use."""

from __future__ import annotations

import functools
import importlib
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import chainer_style
from chainer_style import provenance
from chainer_style.doctor.findings import Check, Finding, Lacking

NEEDED = {
    "numpy": "every array on the CPU",
    "pillow": "reads and writes pictures",
    "h5py": "converted weights",
    "matplotlib": "the report's charts",
    "protobuf": "Caffe's files",
    "click": "the command line",
    "docutils": "the report",
    "filelock": "weights in use by several processes",
    "jinja2": "the report",
    "numba": "kernels of the engine cpu",
    "packaging": "compares versions",
    "platformdirs": "where weights and caches belong",
    "requests": "fetches weights",
    "threadpoolctl": "tells the BLAS and its threads",
    "tqdm": "progress bars",
    "urllib3": "fetches weights",
}
"""The distributions of ``install_requires`` beside Chainer, and what for."""

MODULES = {"pillow": "PIL", "protobuf": "google.protobuf"}
"""Where a module is not called as its distribution."""

OPTIONAL = {
    "torch": ("PyTorch", "only to compare with", "pip install torch"),
    "scikit-learn": (
        "scikit-learn",
        "only to compare with",
        "pip install scikit-learn",
    ),
    "mpi4py": ("mpi4py", "several machines", "pip install 'chainer-style[mpi]'"),
}
"""What nothing needs: title, use, command."""

MPI_LIBRARY = """
import mpi4py
mpi4py.rc.initialize = False
from mpi4py import MPI
name, version = MPI.get_vendor()
print(name, ".".join(map(str, version)))
"""
"""A program that tells the MPI library, and does not start it."""

TESTED = ((3, 11), (3, 13))
"""The first and the last version of Python that the tests are run on."""

SECTION = "Libraries"


def needed() -> Iterator[Finding]:
    """Yield Python, this package, Chainer, and what these need."""
    yield _check("Python", "", _python, "make venv PYTHON=python3.12")
    yield Finding(SECTION, "chainer_style", _own_version())
    yield _check("Chainer", "the reference engine", _chainer, chainer_command())
    for name, why in NEEDED.items():
        look = functools.partial(_library, name)
        yield _check(_title(name), why, look, _command(name))
        if name == "numpy":
            remedy = "pip install --force-reinstall numpy"
            yield Check(SECTION, "BLAS", "matrix products", _blas, remedy).run()
    yield _check("Test", "Chainer computes on the CPU", convolution, chainer_command())


def optional() -> Iterator[Finding]:
    """Yield what there need not be; nothing of it is loaded into this process."""
    for name, (title, why, remedy) in OPTIONAL.items():
        look = functools.partial(_installed, name)
        yield Check("Optional", title, why, look, remedy, lacking="optional").run()
    check = Check("Optional", "MPI", "several machines", _mpi, lacking="optional")
    yield check.run()


def _check(what: str, why: str, look: Callable[[], str], remedy: str | None) -> Finding:
    return Check(SECTION, what, why, look, remedy, needed=True).run()


def _title(name: str) -> str:
    titles = {"numpy": "NumPy", "pillow": "Pillow", "matplotlib": "Matplotlib"}
    return titles.get(name, name)


def _python() -> str:
    version = f"{platform.python_implementation()} {platform.python_version()}"
    first, last = (".".join(map(str, numbers)) for numbers in TESTED)
    if sys.version_info < TESTED[0]:
        raise Lacking(f"{version}; {first} or later is needed")
    if sys.version_info[:2] > TESTED[1]:
        return f"{version}, newer than those tested ({first} to {last})"
    return version


def _own_version() -> str:
    commit, _, changed = (provenance.commit() or "").partition(" ")
    where = f", commit {commit[:12]} {changed}".rstrip() if commit else ""
    return f"{chainer_style.__version__}{where}"


def chainer_command() -> str:
    """Return the command that installs Chainer.

    Its own setup.py needs an older setuptools while its wheel is built.
    """
    folder = Path(chainer_style.__file__).parents[1]
    from chainer_style.compat._edits import VERSIONS

    if (folder / "build-constraints.txt").is_file():
        name = "build-constraints.txt"
        constrained = f"PIP_CONSTRAINT={name} PIP_BUILD_CONSTRAINT={name}"
        return f"{constrained} pip install chainer=={VERSIONS[0]}"
    return (
        "pip install 'setuptools<81' wheel && "
        f"pip install --no-build-isolation chainer=={VERSIONS[0]}"
    )


def _chainer() -> str:
    """Import Chainer, and see that every edit of `chainer_style.compat` fits."""
    from chainer_style.compat._edits import EDITS, edited

    chainer = _imported("chainer")

    site = Path(chainer.__file__).parents[1]
    for module in EDITS:
        path = site / Path(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        edited(module, path.read_text(encoding="utf-8"))
    count = sum(map(len, EDITS.values()))
    return f"{chainer.__version__}, mended by {count} edits of {len(EDITS)} modules"


def convolution(xp: Any = None) -> str:
    """Compute a convolution and its gradient by Chainer, and check both.

    Parameters
    ----------
    xp
        CuPy, or NumPy by default.

    Raises
    ------
    Lacking
        If a number is wrong.
    """
    import chainer
    import numpy

    xp = xp or numpy
    x = chainer.Variable(xp.ones((1, 1, 4, 4), numpy.float32))
    w = xp.ones((1, 1, 3, 3), numpy.float32)
    total = chainer.functions.sum(chainer.functions.convolution_2d(x, w))
    total.backward()
    # Four windows of nine ones; each adds as much to the gradient.
    if (float(total.array), float(x.grad.sum())) != (36, 36):
        raise Lacking("a convolution gives wrong numbers")
    return "a convolution and its gradient are right"


@functools.cache
def _requirements() -> dict[str, Any]:
    """Return this package's own requirements by name; none where not installed."""
    try:
        from packaging.requirements import Requirement

        lines = metadata.requires("chainer-style") or []
    except (ImportError, metadata.PackageNotFoundError):
        return {}
    found = map(Requirement, lines)
    return {r.name: r for r in found if not r.marker or r.marker.evaluate()}


def _command(name: str) -> str:
    return f"pip install {shlex.quote(str(_requirements().get(name, name)))}"


def _library(name: str) -> str:
    module = _imported(MODULES.get(name, name))
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return str(getattr(module, "__version__", "of no known version"))
    wanted = _requirements().get(name)
    if wanted and not wanted.specifier.contains(version, prereleases=True):
        raise Lacking(f"{version}, but {wanted.specifier} is needed")
    return version


def _imported(name: str) -> Any:
    """Import a module, and tell whether it is it that is not there."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise Lacking("not installed") from None
        raise


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        raise Lacking("not installed") from None


def _mpi() -> str:
    """Return which MPI library mpi4py finds, as it tells a process of its own."""
    try:
        _installed("mpi4py")
    except Lacking:
        raise Lacking("mpi4py would look for a library") from None
    program = [sys.executable, "-c", MPI_LIBRARY]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "Error: " in line]
        raise Lacking(errors[-1] if errors else "it fails", "pip install mpich")
    return done.stdout.strip()


def _blas() -> str:
    pools = provenance.blas()
    if not pools:
        raise Lacking("none that threadpoolctl knows")
    return "; ".join(map(_pool, pools))


def _pool(pool: dict[str, Any]) -> str:
    made_for = f" for {pool['architecture']}" if pool.get("architecture") else ""
    threads = pool["num_threads"]
    return (
        f"{pool['internal_api']} {pool['version']}{made_for}, "
        f"{threads} thread{'s' * (threads != 1)}"
    )
