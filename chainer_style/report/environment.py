"""On what the records were made, in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chainer_style.experiments.rates import RateRecord
from chainer_style.experiments.records import Record
from chainer_style.report import formats
from chainer_style.report.machines import Machine


@dataclass(frozen=True, slots=True)
class Description:
    """One environment, and which cells were measured in it.

    Attributes
    ----------
    cells
        Names of the cells; empty where it holds for all of the machine.
    lines
        (what, value), ready to print.
    """

    cells: str
    lines: list[tuple[str, str]]


def facts(machine: Machine) -> list[tuple[str, str]]:
    """Return what the head of the page says of a machine's run: (what, value)."""
    measured = [record for record in machine.rates.values() if record.measured]
    lines = [
        ("Machine", machine.hardware),
        ("Date", _dates(record.started for record in machine.everything)),
        ("Weights", machine.label() or "nothing measured"),
        ("Protocol", _several(r.settings["protocol"]["name"] for r in measured)),
        ("Time per cell", _times(measured)),
        ("Pictures", _several(map(_pictures, measured))),
        ("Software", _several(_software(r.environment) for r in machine.everything)),
    ]
    return [(what, value) for what, value in lines if value]


def describe(machine: Machine) -> list[Description]:
    """Describe every environment among a machine's records, each once."""
    groups: dict[str, list[Record[Any]]] = {}
    for record in machine.everything:
        same = json.dumps(record.environment, sort_keys=True)
        groups.setdefault(same, []).append(record)
    return [
        Description(
            "" if len(groups) == 1 else _cells(group), _lines(group[0].environment)
        )
        for group in groups.values()
    ]


def _cells(group: Sequence[Record[Any]]) -> str:
    """Name the experiments of some records, and how many cells of each."""
    counts = Counter(record.experiment for record in group)
    return "; ".join(
        f"{name}, {count} cell{'s' * (count != 1)}" for name, count in counts.items()
    )


def _lines(environment: dict[str, Any]) -> list[tuple[str, str]]:
    gpu, memory = environment["gpu"], environment["memory_bytes"]
    libraries = environment["libraries"].items()
    lines = [
        ("Processor", environment["cpu"]),
        ("Processors in use", str(environment["cores"])),
        ("Memory", formats.gibibytes(memory) if memory else ""),
        ("GPU", _gpu(gpu) if gpu else "none"),
        ("System", environment["system"]),
        ("Python", environment["python"]),
        ("Libraries", ", ".join(f"{name} {version}" for name, version in libraries)),
        ("BLAS", "; ".join(map(_blas, environment["blas"]))),
        ("chainer_style", environment["chainer_style"]),
        ("Commit", environment["commit"] or "unknown: not run from a checkout"),
    ]
    return [(what, value) for what, value in lines if value]


def _gpu(card: dict[str, Any]) -> str:
    return (
        f"{card['name']}, {formats.gibibytes(card['memory_bytes'])}, compute "
        f"capability {card['compute_capability']}, CUDA {_cuda(card['cuda'])}, "
        f"driver for CUDA {_cuda(card['driver'])}"
    )


def _cuda(version: int) -> str:
    """Print CUDA's number of a version: 12040 is 12.4."""
    return f"{version // 1000}.{version % 1000 // 10}"


def _blas(pool: dict[str, Any]) -> str:
    return f"{pool['internal_api']} {pool['version']}, {pool['num_threads']} threads"


def _software(environment: dict[str, Any]) -> str:
    libraries = environment["libraries"]
    versions = [f"chainer_style {environment['chainer_style']}"]
    for name, title in (("chainer", "Chainer"), ("numpy", "NumPy"), ("cupy", "CuPy")):
        if name in libraries:
            versions.append(f"{title} {libraries[name]}")
    return ", ".join([*versions, f"Python {environment['python']}"])


def _dates(started: Iterable[str]) -> str:
    days = sorted({moment[:10] for moment in started})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _times(measured: list[RateRecord]) -> str:
    seconds = sorted({record.settings["requested_seconds"] for record in measured})
    if not seconds:
        return ""
    least, most = f"{seconds[0]:g}", f"{seconds[-1]:g}"
    return f"{least} s" if least == most else f"{least} to {most} s"


def _pictures(record: RateRecord) -> str:
    return f"{record.settings['content']} in the style of {record.settings['style']}"


def _several(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))
