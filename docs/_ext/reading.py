"""What was measured of the readers of weights, as reStructuredText."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from chainer_style import networks
from chainer_style.protocols import PROTOCOLS
from chainer_style.report.rst import escaped, literal, table

NOTHING = "This copy of the documentation was built without that record.\n"
"""What a page says where there is none."""

Record = dict[str, Any]

PEERS = {"opencv": "OpenCV", "caffe_function": "CaffeFunction"}

TASKS = {
    "open": "Open the file, list its layers",
    "needed": "Read the layers that style transfer needs",
    "sha256": "The checksum of the whole file",
    "convert": "``convert``: needed layers, checksum, HDF5",
    "convert-whole": "``convert --whole``: all layers, checksum, HDF5",
    "caffe-function": "Chainer's ``CaffeFunction``",
}
"""What each task of ``benchmarks/convert.py`` is, in words."""


def _records(folder: Path, name: str) -> Iterator[Record]:
    """Yield the records of that name, machine by machine."""
    for path in sorted(folder.glob(f"*/benchmarks/reader/{name}.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def _circumstances(record: Record) -> str:
    """Return on what a record was taken, as a paragraph."""
    made = record["environment"]
    libraries = ", ".join(
        f"{name} {made['libraries'][name]}"
        for name in ("numpy", "chainer", "h5py")
        if name in made["libraries"]
    )
    commit = (made["commit"] or "unknown")[:10]
    opencv = f", OpenCV {record['opencv']}" if "opencv" in record else ""
    return (
        f"{escaped(made['cpu'])}, {made['cores']} cores, Python {made['python']}, "
        f"{libraries}{opencv}; {record['ended'][:10]}, commit {commit}.\n"
    )


def _worst(rows: Iterable[Record], peer: str) -> str:
    """Return the largest of the differences, as text."""
    found = [row[peer] for row in rows if row[peer] is not None]
    if not found:
        return "—"
    return f"{max(found):.1e}".replace("e-0", "e-") if max(found) else "0"


# -- agreement ------------------------------------------------------------


def agreement(folder: Path) -> str:
    """Return how far features are from those of other programs."""
    parts = []
    for record in _records(folder, "agreement"):
        rows = record["rows"]
        sizes = sorted({(row["height"], row["width"]) for row in rows})
        pixels = ", ".join(f"{height} × {width}" for height, width in sizes)
        parts += [
            _taps([row for row in rows if row["as"] == "caffe"]),
            _protocols([row for row in rows if row["as"] != "caffe"]),
            f"Pictures of {pixels} pixels. {_circumstances(record)}",
        ]
    return "\n".join(parts) or NOTHING


def _taps(rows: list[Record]) -> str:
    columns = [(peer, form) for peer in PEERS for form in ("V1", "V2")]
    head = ["Network", "Tap", *(f"{PEERS[peer]}, {form}" for peer, form in columns)]
    lines = []
    for name, network in networks.NETWORKS.items():
        for tap in network.taps:
            here = [r for r in rows if (r["network"], r["tap"]) == (name, tap.name)]
            if here:
                cells = [
                    _worst((r for r in here if r["format"] == form), peer)
                    for peer, form in columns
                ]
                title = network.title if tap is network.taps[0] else ""
                lines.append([title, literal(tap.name), *cells])
    return table(head, lines, "Networks as Caffe runs them.", "numbers")


def _protocols(rows: list[Record]) -> str:
    columns = [(protocol, peer) for protocol in PROTOCOLS for peer in PEERS]
    head = ["Network", *(f"``{way}``, {PEERS[peer]}" for way, peer in columns)]
    lines = [
        [
            network.title,
            *(
                _worst(
                    (r for r in rows if (r["network"], r["as"]) == (name, way)), peer
                )
                for way, peer in columns
            ),
        ]
        for name, network in networks.NETWORKS.items()
        if any(r["network"] == name for r in rows)
    ]
    title = "Networks as the protocols run them: the worst of all taps."
    return table(head, lines, title, "numbers")


# -- fuzzing --------------------------------------------------------------


def fuzzing(folder: Path) -> str:
    """Return what became of inputs that chance made."""
    records = list(_records(folder, "fuzz-*"))
    if not records:
        return NOTHING
    rows = [
        [
            literal(record["reader"].removeprefix("chainer_style.")),
            record["engine"],
            f"{record['inputs']:,}",
            f"{record['outcomes'].get('read', 0):,}",
            f"{_refused(record):,}",
            f"{len(record['failures']):,}",
            f"{1000 * record['slowest_seconds']:.0f} ms",
            f"{_taken(record) / 1e6:.0f} MB",
        ]
        for record in records
    ]
    head = [
        *("Reader", "Inputs are", "Inputs", "Read", "Refused", "Failed"),
        *("Slowest", "Memory taken"),
    ]
    return "\n".join(
        [table(head, rows, kind="numbers"), _circumstances(records[0])],
    )


def _refused(record: Record) -> int:
    return sum(n for what, n in record["outcomes"].items() if what != "read")


def _taken(record: Record) -> int:
    return record["peak_memory_bytes"] - record["memory_before_bytes"]


# -- time and memory ------------------------------------------------------


def conversion(folder: Path) -> str:
    """Return how long it takes to read VGG-16's file, and how much memory."""
    parts = []
    for record in _records(folder, "convert"):
        rows = [
            [
                TASKS[name],
                f"{task['median_seconds']:.3g} s",
                f"{min(task['seconds']):.3g} to {max(task['seconds']):.3g} s",
                f"{task['peak_above_start_bytes'] / 1e6:.0f} MB",
            ]
            for name, task in record["tasks"].items()
        ]
        head = ["", "Median", "Range", "Memory above the start"]
        size = f"{record['file_bytes'] / 1e6:.0f} MB"
        title = f"A synthetic file of VGG-16's shapes, {size}, in the system's cache."
        parts += [table(head, rows, title, "numbers"), _circumstances(record)]
    return "\n".join(parts) or NOTHING
