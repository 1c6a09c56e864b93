"""A machine that runs CUDA's kernels on the processor, where that can be had."""

import host_machine
import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """What is remembered of a device is that of one test."""
    monkeypatch.setenv("CHAINER_STYLE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def machine():
    """Return what makes one."""
    if host_machine.COMPILER is None:
        pytest.skip(host_machine.MISSING)
    return host_machine.HostMachine
