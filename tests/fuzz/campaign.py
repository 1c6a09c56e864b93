"""Give a reader many inputs, in a child process that may die, and keep a record.

A child tells its state after every input. If it dies (a library that crashes) or
stands still, the parent notes the input, and lets another child go on behind it.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chainer_style import files, provenance

MEMORY = 512 << 20
"""Bytes that a child may take beyond what it has when it begins."""

PATIENCE = 30
"""Seconds that one input may take."""


@dataclass
class Tally:
    """What has become of the inputs of one child.

    Attributes
    ----------
    inputs
        How many were tried.
    outcomes
        How many were read, and how many refused, by kind.
    failures
        What should not have happened, by the number of the input.
    seconds, slowest_seconds
        Of the readers and of what checks them, all together and at most.
    largest_bytes
        Size of the largest input.
    memory_before_bytes, peak_memory_bytes
        Resident memory when the first input came, and at most.
    """

    inputs: int = 0
    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    failures: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    slowest_seconds: float = 0.0
    largest_bytes: int = 0
    memory_before_bytes: int = 0
    peak_memory_bytes: int = 0

    def add(self, other: Tally) -> None:
        """Take in what another child has found."""
        self.inputs += other.inputs
        self.outcomes += other.outcomes
        self.failures |= other.failures
        self.seconds += other.seconds
        for name in vars(self):
            if name.startswith(("slowest", "largest", "memory", "peak")):
                setattr(self, name, max(getattr(self, name), getattr(other, name)))


# -- in the child ---------------------------------------------------------


class Trials:
    """Tries one input after the other, and writes down what becomes of them.

    Parameters
    ----------
    folder
        Where the state is written, and inputs that fail are kept.
    verdict
        Returns the kind of outcome, or raises where something is wrong.
    """

    def __init__(self, folder: Path, verdict: Callable[[Path], str]) -> None:
        self.folder = folder
        self.verdict = verdict
        self.tally = Tally(memory_before_bytes=_peak_memory())
        _limit_memory()

    def try_one(self, number: int, path: Path) -> None:
        """Read the input at a path."""
        tally = self.tally
        tally.inputs += 1
        self._tell()  # before: it may be the last word
        started = time.perf_counter()
        try:
            tally.outcomes[self.verdict(path)] += 1
        except Exception as error:  # also MemoryError and RecursionError
            tally.failures[str(number)] = f"{type(error).__name__}: {error}"
            (self.folder / f"failed-{number}").write_bytes(path.read_bytes())
        seconds = time.perf_counter() - started
        tally.seconds += seconds
        tally.slowest_seconds = max(tally.slowest_seconds, seconds)
        tally.largest_bytes = max(tally.largest_bytes, path.stat().st_size)

    def finish(self) -> None:
        """Write the last state."""
        self._tell(done=True)

    def _tell(self, done: bool = False) -> None:
        self.tally.peak_memory_bytes = _peak_memory()
        text = json.dumps({"done": done, "tally": vars(self.tally)})
        with (self.folder / "state.json").open("r+") as file:
            file.write(text)
            file.truncate()


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _limit_memory() -> None:
    with contextlib.suppress(OSError):  # only Linux tells
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


# -- in the parent --------------------------------------------------------


def run(options: argparse.Namespace, child: list[str]) -> Tally:
    """Let children try all inputs; `child` is what to give the script, too."""
    total = Tally()
    with scratch() as folder:
        while total.inputs < options.inputs:
            state = folder / "state.json"
            state.write_text("{}")
            numbers = f"{total.inputs}:{options.inputs}"
            command = [sys.executable, *child, "--child", str(folder), numbers]
            process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            why = _wait(process, state)
            found = json.loads(state.read_text())
            if "tally" not in found or (process.returncode or 0) > 0:
                sys.exit(f"no fault of the reader: the child {why}")
            tally = Tally(**found["tally"])
            tally.outcomes = collections.Counter(tally.outcomes)
            if not found["done"]:
                last = total.inputs + tally.inputs - 1
                tally.failures[str(last)] = why
            total.add(tally)
        for path in folder.glob("failed-*"):
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / path.name).write_bytes(path.read_bytes())
    return total


def _wait(process: subprocess.Popen[str], state: Path) -> str:
    """Wait for a child while its state changes, and return how it ended."""
    while True:
        try:
            _, errors = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            if time.time() - state.stat().st_mtime > PATIENCE:
                process.kill()
                process.communicate()
                return f"stood still for {PATIENCE} s"
            continue
        return f"ended with code {process.returncode}: {errors[-2000:]}"


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder in memory, where the system has one."""
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=place) as folder:
        yield Path(folder)


def parser(what: str, inputs: int) -> argparse.ArgumentParser:
    """Return a parser with the options that all campaigns have."""
    options = argparse.ArgumentParser(description=what)
    options.add_argument("--inputs", type=int, default=inputs)
    options.add_argument("--record", type=Path, help="JSON file to write")
    options.add_argument(
        "--keep",
        type=Path,
        default=Path("build/fuzz"),
        help="where inputs that fail are left (default: %(default)s)",
    )
    options.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    return options


def report(reader: str, engine: str, tally: Tally, record: Path | None) -> None:
    """Print what was found, write the record, and exit with 1 after a failure."""
    print(f"{tally.inputs} inputs, {tally.seconds:.0f} s, {engine}")
    for outcome, count in tally.outcomes.most_common():
        print(f"{count:8}  {outcome}")
    for number, what in tally.failures.items():
        print(f"input {number} FAILED: {what}")
    document: dict[str, Any] = {
        "format": 1,
        "experiment": "fuzz",
        "reader": reader,
        "engine": engine,
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **vars(tally),
        "outcomes": dict(tally.outcomes.most_common()),
        "environment": provenance.environment(),
    }
    if record:
        files.make_folder(record.parent)
        files.write_json(record, document)
    sys.exit(bool(tally.failures))
