"""What all tests share: seeded weights made once, small pictures, GPU skips."""

from __future__ import annotations

import os

os.environ.setdefault("MPLBACKEND", "Agg")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Processes that tests are shared out to have a core each: with threads of BLAS for
    # every core in all of them, some tests take three times as long.
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import chainer_style  # isort: skip  # noqa: F401 - before anything imports chainer

import functools
import shutil
import signal

import compiled_there
import cuda_stand_ins
import filelock
import host_machine
import hypothesis
import mpi_jobs
import numpy as np
import pytest
from PIL import Image

from chainer_style import files, protocols, transfer
from chainer_style.weights import Weights, folder, seeded

# Examples are few and small; how long one takes is no matter of correctness.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """What tests start can be interrupted: pytest's processes ignore it, and pass on
    that they do."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def no_trained_weights(tmp_path_factory):
    """Whatever trained weights lie on this machine, no test finds them."""
    os.environ[folder.VARIABLE] = str(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session", autouse=True)
def no_cache_of_the_users(tmp_path_factory):
    """No test reads or writes what this machine has learned."""
    os.environ[files.CACHE] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def kernels(no_cache_of_the_users, tmp_path_factory):
    """What is said when kernels are compiled the first time, and the cache then.

    Tests that ask for it spare the others the minute that this takes: all processes
    that tests are shared out to have one cache.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    cache, told = shared / "compiled", shared / "compiled.txt"
    with filelock.FileLock(shared / "compiled.lock"):
        if not told.exists():
            told.write_text(compiled_there.load(cache))
    shutil.copytree(cache, os.environ[files.CACHE], dirs_exist_ok=True)
    return told.read_text(), cache


@pytest.fixture(scope="session", autouse=True)
def ready(request):
    """Kernels are there: of all tests that need some, these come first."""
    if any("kernels" in item.fixturenames for item in request.session.items):
        request.getfixturevalue("kernels")


@functools.cache
def seeded_weights(network_name: str) -> Weights:
    protocol = protocols.get("2016").with_options(model=network_name)
    return seeded.generate(transfer.network_for(protocol), seed=0)


@pytest.fixture(scope="session")
def weights_of():
    """Seeded weights of a network's part up to its taps, by name."""
    return seeded_weights


@pytest.fixture
def random():
    return np.random.RandomState(0)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Two small pictures with structure: a landscape and an upright one."""
    folder = tmp_path_factory.mktemp("pictures")
    y, x = np.mgrid[:60, :80] / 80
    waves = np.stack([np.sin(9 * x), np.cos(7 * y), np.sin(5 * (x + y))], -1)
    stripes = np.stack([np.sin(40 * x), np.sin(30 * y), np.cos(50 * (x - y))], -1)
    paths = folder / "content.png", folder / "style.png"
    for path, values in zip(paths, (waves, stripes.swapaxes(0, 1)), strict=True):
        Image.fromarray((127.5 + 120 * values).astype(np.uint8)).save(path)
    return paths


def pytest_collection_modifyitems(items):
    for mark, obstacle in (("gpu", no_gpu), ("mpi", mpi_jobs.obstacle)):
        marked = [item for item in items if item.get_closest_marker(mark)]
        if marked and (reason := obstacle()):
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


def no_gpu():
    from chainer_style.engines import base, devices

    missing = devices.obstacle(base.Device(0, cudnn=False))
    return missing and f"{missing.reason}: {missing.cause}"


@pytest.fixture
def compiles(tmp_path, monkeypatch):
    """CUDA's kernels run on the processor; each test's device is a new one."""
    if host_machine.COMPILER is None:
        pytest.skip(host_machine.MISSING)
    monkeypatch.setenv(files.CACHE, str(tmp_path / "cache"))


@pytest.fixture
def machine(compiles):
    """Return what makes a machine for engine ``cuda``'s plans."""
    return host_machine.HostMachine


@pytest.fixture
def cupy(compiles, monkeypatch):
    """Return CuPy's stand-in, on a device of others."""
    return cuda_stand_ins.install(monkeypatch)
