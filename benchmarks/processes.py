"""Measure something in a process of its own: seconds, and memory at most.

A script that measures calls `measure` with a name; the same script, run as a child,
calls `child` with what to do under that name.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from chainer_style import files, memory, provenance


def child(prepare: Callable[[], Callable[[], object]]) -> None:
    """Run something, and print what it took.

    Parameters
    ----------
    prepare
        Imports what is needed, which is not measured, and returns what is.
    """
    task = prepare()
    before, started = memory.peak(), time.perf_counter()
    result = task()
    seconds = time.perf_counter() - started
    taken = {
        "seconds": seconds,
        "before_bytes": before,
        "peak_bytes": memory.peak(),
        "result": result,
    }
    print(json.dumps(taken))


def measure(script: str, words: list[str], repeats: int) -> dict[str, Any]:
    """Run a child several times, and return the medians with the raw numbers."""
    runs = []
    for _ in range(repeats):
        command = [sys.executable, script, "--child", *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        runs.append(json.loads(done.stdout))
    seconds = [run["seconds"] for run in runs]
    above = [run["peak_bytes"] - run["before_bytes"] for run in runs]
    return {
        "median_seconds": statistics.median(seconds),
        "seconds": seconds,
        "peak_above_start_bytes": round(statistics.median(above)),
        "peak_bytes": round(statistics.median(run["peak_bytes"] for run in runs)),
        "result": runs[-1]["result"],
    }


def save(
    path: Path, experiment: str, content: dict[str, Any], peers: tuple[str, ...] = ()
) -> None:
    """Write a record: what was found, when, and on what.

    Parameters
    ----------
    path
        Its file.
    experiment
        What was measured.
    content
        What was found.
    peers
        Packages whose versions belong to it, beside those of every record.
    """
    files.make_folder(path.parent)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    head = {"format": 1, "experiment": experiment, "ended": now}
    environment = provenance.environment()
    libraries = environment["libraries"] | _versions(peers)
    made = {**environment, "libraries": libraries}
    files.write_json(path, {**head, **content, "environment": made})
    print(f"record: {path}")


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def default_path(name: str, group: str = "reader") -> Path:
    """Return where a record of this machine belongs."""
    results = Path(__file__).resolve().parents[1] / "results"
    return results / provenance.machine_name() / "benchmarks" / group / f"{name}.json"
