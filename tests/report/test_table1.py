"""Table 1 in report and docs: the paper's numbers, their origin, and today's."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainer_style.experiments import training
from chainer_style.experiments.training import TrainingCell, TrainingRecord
from chainer_style.report import html, parts
from chainer_style.report.machines import Machine
from chainer_style.report.parts import table1

ENVIRONMENT = {"machine": "one", "cpu": "A *fast* CPU", "cores": 2, "gpu": None}


def machine(*records):
    own = {record.cell: record for record in records}
    return Machine("one", Path(), {"training": own})


def measured(network, framework, column="CPU", batch=2):
    return TrainingRecord(
        cell=TrainingCell(network, framework, column),
        environment=ENVIRONMENT,
        seconds=[5, 1.5, 1.5],
        forward=[2, 0.5, 0.5],
        backward=[3, 1, 1],
        dropped=1,
        batch=batch,
        settings={"framework": framework, "version": "7.8.1"},
    )


def refused(network, framework, column, reason):
    cell = TrainingCell(network, framework, column)
    return TrainingRecord(cell=cell, environment=ENVIRONMENT, reason=reason)


def words(text):
    return " ".join(text.split())


def row(text, name):
    """The cells of a row of a list table."""
    _, _, after = text.partition(f"* - {name}\n")
    cells = []
    for line in after.splitlines():
        if not line.startswith("     - "):
            break
        cells.append(line[7:])
    return cells


def test_without_records_the_paper_and_its_origin_remain():
    text = parts.render("table1", [])
    assert row(text, "TensorFlow") == ["277", "843", "1510", "1084"]
    assert row(text, "TensorFlow, Overfeat")[:4] == ["843", "842", "216", "626"]
    assert row(text, "Chainer, AlexNet")[-2:] == ["198.8", "1.55"]
    assert row(text, "Overfeat")[1:3] == ["6215.5", "690.6"]
    assert "(177.9 + 1) × 10 ÷ 9 = 198.8 ms" in words(text)
    assert "There are no records of it here" in text
    assert "Network" in html.convert(text, "table1")


def test_another_experiments_machine_is_none_of_this():
    text = parts.render("table1", [Machine("other", Path(), {"rates": {}})])
    assert "There are no records of it here" in text


def test_today_stands_beside_2016():
    records = [
        measured("vgg_a", "chainer"),
        measured("alexnet_owt", "pytorch", batch=128),
        *(
            refused(n, "tensorflow", "CPU", "TensorFlow is not installed")
            for n in table1.BENCHMARKS
        ),
        refused("vgg_a", "chainer", "GPU", "out of memory"),
    ]
    text = parts.render("table1", [machine(*records)])
    # 984.9 ms for 64 pictures, 45.65 GFLOP each.
    assert row(text, "Chainer CPU, OxfordNet") == [
        *("2", "1500", "500", "1000", "750", "15.4", "48.7", "60.9", "2967")
    ]
    assert row(text, "PyTorch CPU, AlexNet")[5:] == ["—", "—", "366", "—"]
    said = words(text)
    assert "Not measured (TensorFlow is not installed): TensorFlow CPU." in said
    assert "Not measured (out of memory): Chainer GPU (OxfordNet)." in said
    assert "Chainer CPU takes 48.7 times the time per picture" in said
    assert "Some minibatches were made smaller here" in said
    assert r"A \*fast\* CPU" in said
    page = html.convert(text, "table1")
    assert "A *fast* CPU" in page
    assert "system-message" not in page


def test_a_machine_with_nothing_but_reasons():
    records = [refused("vgg_a", "chainer", "CPU", "out of memory")]
    text = parts.render(
        "table1", [machine(*records), machine(measured("vgg_a", "chainer"))]
    )
    assert "nothing was measured" in text
    assert "Chainer CPU, OxfordNet" in text
    html.convert(text, "table1")


@pytest.mark.parametrize("cell", training.table1(), ids=lambda cell: cell.key)
def test_2016_is_the_same_library_or_none(cell):
    then = table1.per_picture_then(cell)
    assert (then is None) == (cell.framework == "pytorch")
