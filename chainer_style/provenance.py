"""On what something ran: hardware, versions, the code's own commit."""

from __future__ import annotations

import functools
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import chainer_style

LIBRARIES = ("chainer", "numpy", "cupy", "pillow", "h5py", "matplotlib")


@functools.cache
def environment() -> dict[str, Any]:
    """Describe this machine and its software, for a record in JSON.

    No host or user name is part of it.
    """
    return {
        "machine": machine_name(),
        "cpu": cpu_model(),
        "cores": cores(),
        "memory_bytes": memory(),
        "gpu": gpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: v for name in LIBRARIES if (v := _version(name))},
        "blas": blas(),
        "chainer_style": chainer_style.__version__,
        "commit": commit(),
    }


@functools.cache
def machine_name() -> str:
    """Name a kind of machine by its processor, cores and GPU: a folder's name."""
    model = re.sub(r"\((R|TM)\)|\b(CPU|Processor)\b|@", " ", cpu_model())
    parts = [model, f"{cores()} cores"]
    if card := gpu():
        parts.append(card["name"])
    return re.sub(r"[^a-z0-9.]+", "-", " ".join(parts).lower()).strip("-")


@functools.cache
def cpu_model() -> str:
    """Return the processor's name as the system tells it.

    A virtual machine may tell no model: "AMD EPYC" is several, and what they compute
    with differs most by their vectors. Those are part of the name where they are not
    the widest.
    """
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    name = _line("model name", text) or platform.processor()
    flags = _line("flags", text).split()
    if "avx2" in flags and "avx512f" not in flags:
        name += " (AVX2)"
    return " ".join(name.split()) or platform.machine()


def _line(key: str, text: str) -> str:
    """Return what stands first behind a key of ``/proc/cpuinfo``; empty: nothing."""
    found = re.search(rf"^{key}\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else ""


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> int | None:
    """Return the bytes of main memory, if the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


@functools.cache
def gpu() -> dict[str, Any] | None:
    """Describe the first CUDA device, or return None where there is none."""
    try:
        import cupy

        runtime = cupy.cuda.runtime
        properties = runtime.getDeviceProperties(0)
    except Exception:  # Broken installations raise anything; see `chainer_style.doctor`
        return None
    return {
        "name": properties["name"].decode(),
        "memory_bytes": properties["totalGlobalMem"],
        "compute_capability": f"{properties['major']}.{properties['minor']}",
        "driver": runtime.driverGetVersion(),
        "cuda": runtime.runtimeGetVersion(),
    }


def _version(name: str) -> str | None:
    if name == "cupy":
        module = sys.modules.get("cupy")
        return getattr(module, "__version__", None)
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def blas() -> list[dict[str, Any]]:
    """Describe the BLAS libraries in use.

    Their name, version, the processor that their code was written for where they
    tell, and the number of threads.
    """
    import numpy  # noqa: F401 - loads its BLAS
    from threadpoolctl import threadpool_info

    keys = ("internal_api", "version", "architecture", "num_threads")
    found = [
        {key: pool.get(key) for key in keys}
        for pool in threadpool_info()
        if pool.get("user_api") == "blas"
    ]
    # They come in any order, another one in every process.
    return sorted(found, key=lambda pool: [str(pool[key]) for key in keys])


def commit() -> str | None:
    """Return the commit of the code that runs; None where it is not a checkout."""
    folder = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != folder.parent:
            return None
        changed = " with changes" if git("status", "--porcelain", str(folder)) else ""
        return git("rev-parse", "HEAD") + changed
    except (OSError, subprocess.SubprocessError):
        return None
