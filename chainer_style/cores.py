"""How many cores this process may use."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""What Linux lets a container have of the cores: microseconds, in so many."""


def available() -> int:
    """Return the cores that this process may run on, and has the time of."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        # "max 100000" where there is no quota.
        quota, period = QUOTA.read_text().split()
        count = min(count, math.ceil(int(quota) / int(period)))
    return max(1, count)
