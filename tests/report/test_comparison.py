from __future__ import annotations

import dataclasses
import json
from itertools import accumulate
from pathlib import Path
from statistics import median

import pytest

from chainer_style import added
from chainer_style.paper import ITERATIONS, MINUTES, RATE_TABLES, Cell
from chainer_style.report import comparison, machines


def test_entries_match_paper_and_record(results: Path) -> None:
    first, second = machines.read(results, "long").machines
    assert (first.name, second.name) == ("long", "short")
    for machine in (first, second):
        for cell in machine.cells:
            path = results / machine.name / "rates" / f"{cell.key}.json"
            document = json.loads(path.read_text())
            ends = list(accumulate(document["seconds"]))
            for entry in comparison.entries(cell, machine):
                printed = ITERATIONS.get(cell)
                assert entry.paper == (printed and printed[entry.minute - 1])
                assert entry.reason == document["reason"]
                if document["reason"]:
                    assert (entry.today, entry.ratio, entry.counted) == (None,) * 2 + (
                        False,
                    )
                    continue
                lasted = ends[-1] >= 60 * entry.minute
                assert entry.counted is lasted
                if lasted:
                    expected = len([e for e in ends if e <= 60 * entry.minute])
                else:
                    kept = document["seconds"][document["dropped"] :]
                    expected = 60 * entry.minute / median(kept)
                assert entry.today == pytest.approx(expected)
                if entry.paper:
                    assert entry.ratio == pytest.approx(expected / entry.paper)


def test_both_ways_of_counting_are_seen(results: Path) -> None:
    long, short = machines.read(results, "long").machines
    cell = Cell("vgg16", 128, "CPU")
    assert [e.counted for e in comparison.entries(cell, long)] == [True] * len(MINUTES)
    assert not any(e.counted for e in comparison.entries(cell, short))


def test_cells_are_in_order(results: Path) -> None:
    machine = machines.read(results, "short").machines[0]
    assert [cell.key for cell in machine.cells] == [
        f"{row}-{column}"
        for row in ("vgg16-64", "vgg16-128", "vgg16-256", "vgg16-512", "nin-128")
        for column in ("cpu", "engine-cpu", "gpu", "cudnn")
    ]
    assert machine.cells == list(machine.rates)


def test_label_names_networks_where_weights_differ(results: Path) -> None:
    long, short = machines.read(results, "long").machines
    assert short.label() == "seeded (untrained) weights"
    assert long.label() == "VGG-16: trained weights; NIN: seeded (untrained) weights"
    assert long.label(("vgg16", 64)) == "trained weights"
    assert long.label(("nin", 128)) == "seeded (untrained) weights"


def test_no_record_is_a_reason(results: Path) -> None:
    machine = machines.read(results, "short").machines[0]
    cell = Cell("vgg16", 64, "CPU")
    rest = {c: r for c, r in machine.rates.items() if c != cell}
    less = dataclasses.replace(machine, records={"rates": rest})
    assert less.reason(cell) == "no record of it yet; run: make table5"
    assert all(entry.today is None for entry in comparison.entries(cell, less))


def test_the_command_is_that_of_the_table_asked_for(results: Path) -> None:
    machine = machines.read(results, "short").machines[0]
    nothing = dataclasses.replace(machine, records={})
    for cell in (Cell("vgg16", 128, "CPU"), Cell("vgg16", 128, "CPU", "cpu")):
        for table in RATE_TABLES.values():
            told = nothing.reason(cell, table)
            assert told == f"no record of it yet; run: make table{table.number}"
    # In none of the tables: only another machine has it.
    assert nothing.reason(Cell("vgg19", 128, "CPU")) == "no record of it"


def test_the_paper_has_no_such_column() -> None:
    for table in RATE_TABLES.values():
        for cell in added.cells(table):
            lacking = comparison.paper_lacks(cell)
            assert (lacking == added.NOT_THE_PAPERS) is added.is_added(cell)
    cell = Cell("nin", 128, "CPU", "cpu")
    assert comparison.title(cell) == "NIN, 128 px, this package’s CPU engine"
