"""Runs a few lines in several processes of MPI."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

TESTS = Path(__file__).resolve().parent

TIME = 60
"""Seconds that a job may take: one in which a rank waits for ever is told."""

ANYWHERE = {
    # As root, and with more ranks than cores, Open MPI wants to be asked for it.
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def mpiexec():
    """Return the launcher beside this Python, else the one on the path, or None."""
    beside = Path(sys.executable).parent
    return shutil.which("mpiexec", path=beside) or shutil.which("mpiexec")


@functools.cache
def obstacle():
    """Return why no job of MPI runs here, or None."""
    if not mpiexec():
        return "no mpiexec"
    # In a process of its own, since importing it makes a process part of a job.
    program = [sys.executable, "-c", "from mpi4py import MPI"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        return next(line for line in done.stderr.splitlines() if "Error" in line)
    return None


def start(count, code, *arguments, **variables):
    """Run some code in so many ranks and return the finished job, failed or not.

    A single one is started without the launcher.
    """
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        **ANYWHERE,
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    launcher = [mpiexec(), "-n", str(count)] if count > 1 else []
    program = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    return subprocess.run(
        [*launcher, *program, *map(str, arguments)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIME,
        check=False,
    )
