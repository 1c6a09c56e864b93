"""How much memory this process takes, and may take."""

from __future__ import annotations

import contextlib
import ctypes
import math
import mmap
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PROCESS = Path("/proc/self")
"""What Linux tells a process about itself."""

_MMAP_THRESHOLD = -3
"""``M_MMAP_THRESHOLD`` in glibc's malloc.h; set, it no longer grows by itself."""

MEMORY = Path("/proc/meminfo")
"""What Linux tells of all memory."""

LINE, LARGE = 64, 2 << 20
"""Bytes of a cache line, and of a large page of x86 and of most Arm systems."""


def zeros(
    shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.uint8
) -> npt.NDArray[Any]:
    """Return an array of zeros, in large pages if the system has them.

    What is read once through, and is more than caches hold, is read faster from large
    pages: the addresses of small ones have to be looked up in memory, too. It begins
    with a cache line, and goes back to the system with its last view.

    Raises
    ------
    MemoryError
        If there is not so much.
    """
    size = math.prod(np.atleast_1d(shape).tolist()) * np.dtype(dtype).itemsize
    return _zeros(size).view(dtype).reshape(shape)


def _zeros(size: int) -> npt.NDArray[np.uint8]:
    advice = getattr(mmap, "MADV_HUGEPAGE", None)
    if advice is None or size < LARGE:
        return _begin(np.zeros(size + LINE, np.uint8), LINE, size)
    try:
        room = mmap.mmap(-1, size + LARGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"unable to allocate {size} bytes") from error
    start = -np.frombuffer(room, np.uint8).ctypes.data % LARGE
    with contextlib.suppress(OSError):  # a system without them
        # The end stays in small ones, of which no more are taken than are needed.
        room.madvise(advice, start, size // LARGE * LARGE)
    room.resize(start + size)
    return np.frombuffer(room, np.uint8)[start:]


def copied(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a copy without gaps, in memory as `zeros` gives it."""
    found = zeros(array.shape, array.dtype)
    found[...] = array
    return found


def _begin(room: npt.NDArray[np.uint8], at: int, size: int) -> npt.NDArray[np.uint8]:
    """Return the first bytes whose address is a multiple of a number."""
    start = -room.ctypes.data % at
    return room[start : start + size]


def peak() -> int:
    """Return the most bytes that this process held in memory."""
    # Not ru_maxrss first: on Linux a child begins with that of its parent.
    if most := _told("status", "VmHWM"):
        return most
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def forget_peak() -> None:
    """Let the peak begin anew, where the system can: on Linux alone."""
    with contextlib.suppress(OSError):
        (PROCESS / "clear_refs").write_text("5")


def peak_on(gpu: bool) -> int:
    """Return the most bytes held: of CuPy's memory pool, or by this process."""
    if not gpu:
        return peak()
    import cupy

    return int(cupy.get_default_memory_pool().total_bytes())


def trim() -> None:
    """Give memory that was freed back to the system, where its library can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def return_at_once() -> None:
    """Have large arrays given back to the system as soon as they are freed.

    The library of C else keeps freed memory of some tens of MiB for later.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 128 * 1024)


def resident() -> int:
    """Return the bytes that this process holds in memory; 0 where none tells."""
    # What "status" says of it may be behind, "smaps_rollup" is counted when read.
    return _told("smaps_rollup", "Rss") or _told("status", "VmRSS")


def address_space() -> int:
    """Return the bytes of addresses that this process has taken; 0 where none tells."""
    return _told("status", "VmSize")


def available() -> int | None:
    """Return the bytes that the system can still give; None where none tells."""
    try:
        _, _, after = MEMORY.read_text().partition("MemAvailable:")
        return int(after[: after.index("kB")]) * 1024
    except (OSError, ValueError):
        return None


def limit(more: int) -> None:
    """Let every allocation fail that goes beyond so many bytes more than now.

    Counted are addresses, as of all memory that the system has given out, whether it
    was ever touched or not.

    Raises
    ------
    OSError
        If the system does not tell the addresses taken, or sets no limit.
    """
    if not (taken := address_space()):
        raise OSError("the addresses that this process has taken are not known")
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + more, hard))


def _told(file: str, field: str) -> int:
    """Return a number of bytes that Linux tells of this process, or 0."""
    with contextlib.suppress(OSError, ValueError):
        _, _, after = (PROCESS / file).read_text().partition(f"{field}:")
        return int(after[: after.index("kB")]) * 1024
    return 0
