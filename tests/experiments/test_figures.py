from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from chainer_style import provenance
from chainer_style.errors import UserError
from chainer_style.experiments import catalogue, records, runner
from chainer_style.experiments.figures import FigureCell, FigureRecord, Figures

SEEDED = "seeded (untrained) weights"


def figures(number, pictures, **more):
    return Figures(number, *pictures, "seeded", **more)


def test_every_figure_is_a_part():
    options = catalogue.Options(
        seconds=1, content=Path("c"), style=Path("s"), weights=None
    )
    for number in range(1, 7):
        (found,) = catalogue.experiments_of([f"figure{number}"], options)
        assert {cell.figure for cell in found.cells()} == {number}
        assert found.weights == "auto"
    given = dataclasses.replace(options, weights="seeded:3")
    assert catalogue.experiments_of(["figure3"], given)[0].weights == "seeded:3"


def test_whole_runs_have_more_networks(pictures):
    few = [len(figures(n, pictures).cells()) for n in range(1, 7)]
    many = [len(figures(n, pictures, full=True).cells()) for n in range(1, 7)]
    assert few == [2, 2, 2, 2, 1, 1]
    assert many == [6, 6, 2, 2, 2, 2]
    assert figures(1, pictures).networks() == frozenset()
    assert figures(3, pictures).networks() == {"vgg16", "nin"}
    whole = figures(6, pictures, full=True)
    part = figures(6, pictures)
    cell = FigureCell(6, "vgg16")
    assert whole.estimate(cell) > 5 * part.estimate(cell) > 0


def test_a_run_leaves_records_and_files(pictures, tmp_path):
    experiments = [
        figures(1, pictures),
        figures(6, pictures, size=32, iterations=2),
    ]
    found = [record for _, record in runner.run(experiments, tmp_path, quiet=True)]
    assert [record.cell.key for record in found] == [
        "figure1-vgg16",
        "figure1-nin",
        "figure6-vgg16",
    ]
    folder = tmp_path / provenance.machine_name() / "figures"
    for record in found:
        assert record.measured
        assert all((folder / name).is_file() for name in record.files)
        path = folder / f"{record.cell.key}.json"
        assert records.load(path, catalogue.RECORDS) == record
    assert SEEDED in experiments[1].summary(found[2])
    assert experiments[0].summary(found[0]) == "3 files"


def test_a_missing_picture_is_told_before_anything_runs(pictures, tmp_path):
    broken = figures(3, (tmp_path / "none.png", pictures[1]))
    with pytest.raises(UserError, match=r"no such picture: .*none\.png"):
        list(runner.run([broken], tmp_path / "results", quiet=True))
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("figure", "settings", "lacking"),
    [
        (1, {"size": 128}, "pictures"),
        (1, {"pictures": {}}, "size"),
        (3, {"pictures": {}, "size": 1, "weights": {"label": "x"}}, "protocol"),
        (
            6,
            {
                **{"pictures": {}, "size": 1, "weights": {}},
                **{"protocol": {}, "iterations": 1, "sources": []},
            },
            "the label of its weights",
        ),
    ],
)
def test_what_a_record_must_say(figure, settings, lacking):
    cell = FigureCell(figure, "vgg16")
    record = FigureRecord(cell=cell, environment={}, settings=settings)
    with pytest.raises(ValueError, match=lacking):
        record.check()
    FigureRecord(cell=cell, environment={}, reason="no memory").check()
