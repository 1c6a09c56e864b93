"""How much memory this process took at most."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

PROCESS = Path("/proc/self")
"""What Linux tells a process about itself."""


def peak() -> int:
    """Return the most bytes that this process held in memory."""
    # Not ru_maxrss first: on Linux a child begins with that of its parent.
    with contextlib.suppress(OSError, ValueError):
        _, _, after = (PROCESS / "status").read_text().partition("VmHWM:")
        return int(after[: after.index("kB")]) * 1024
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
