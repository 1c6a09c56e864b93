from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from chainer_style import added
from chainer_style.paper import ITERATIONS, RATE_TABLES, Cell, Column, RateTable

Row = dict[str, str]


def read(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def cell_of(row: Row) -> Cell:
    network, size = row["network"], int(row["size"])
    if row["column"] == "engine cpu":
        return Cell(network, size, "CPU", "cpu")
    column: Column = row["column"]  # type: ignore[assignment]
    return Cell(network, size, column)


def document(results: Path, row: Row) -> dict[str, object]:
    path = results / row["machine"] / "rates" / f"{cell_of(row).key}.json"
    found: dict[str, object] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("machine", ["short", "long"])
@pytest.mark.parametrize("table", RATE_TABLES.values(), ids=lambda t: str(t.number))
def test_table(
    results: Path, built: dict[str, Path], machine: str, table: RateTable
) -> None:
    rows = read(built[machine] / f"table{table.number}.csv")
    other = {"short": "long", "long": "short"}[machine]
    keys = [(row["machine"], cell_of(row), int(row["minute"])) for row in rows]
    assert keys == [
        (name, cell, minute)
        for name in (machine, other)
        for cell in added.cells(table)
        for minute in (1, 2, 3, 4, 5)
    ]
    for row in rows:
        cell, minute = cell_of(row), int(row["minute"])
        assert row["table"] == str(table.number)
        if cell in ITERATIONS:
            assert row["paper"] == str(ITERATIONS[cell][minute - 1])
        else:
            assert row["paper"] == row["ratio"] == ""
            assert re.match(
                "paper: (left out of|“core dumping”|no column)", row["reason"]
            )
        record = document(results, row)
        if record["reason"]:
            assert row["today"] == row["ratio"] == row["weights"] == ""
            assert row["counted"] == "false"
            assert f"not measured: {record['reason']}" in row["reason"]
            continue
        assert row["weights"] == record["settings"]["weights"]["label"]
        seconds = np.array(record["seconds"])
        if seconds.sum() >= 60 * minute:
            assert row["counted"] == "true"
            assert int(row["today"]) == int((seconds.cumsum() <= 60 * minute).sum())
        else:
            assert row["counted"] == "false"
            rate = 60 / np.median(seconds[1:])
            assert float(row["today"]) == pytest.approx(rate * minute)
        if row["paper"]:
            ratio = float(row["today"]) / float(row["paper"])
            assert float(row["ratio"]) == pytest.approx(ratio)


def test_rates(results: Path, built: dict[str, Path]) -> None:
    rows = read(built["short"] / "rates.csv")
    assert [row["machine"] for row in rows] == ["short"] * 20 + ["long"] * 20
    for row in rows:
        record = document(results, row)
        if record["reason"]:
            assert row["reason"] == f"not measured: {record['reason']}"
            assert row["median_ms"] == row["weights"] == ""
            continue
        kept = 1000 * np.array(record["seconds"][1:])
        quantiles = [float(row[name]) for name in ("p10_ms", "median_ms", "p90_ms")]
        np.testing.assert_allclose(quantiles, np.quantile(kept, [0.1, 0.5, 0.9]))
        rate, gflops = float(row["iterations_per_minute"]), row["gflop_per_iteration"]
        assert rate == pytest.approx(60_000 / np.median(kept))
        assert float(row["gflop_per_second"]) == pytest.approx(
            float(gflops) * rate / 60
        )
        assert (int(row["measured"]), int(row["dropped"])) == (len(kept), 1)
        assert int(row["peak_memory_bytes"]) == 123 << 20
        assert row["commit"] == "c0ffee" * 6
        assert row["reason"] == ""
