from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chainer_style import themes
from chainer_style.experiments.digits import DigitsCell, DigitsRecord
from chainer_style.report import html, learning, parts
from chainer_style.report.machines import Machine

REAL = {
    "name": "MNIST",
    "split": "as published",
    "learned": 1500,
    "tested": 1000,
    "there": [60000, 10000],
    "height": 28,
    "width": 28,
    "files": [],
    "why": None,
}
OTHER = REAL | {"name": "other digits", "height": 8, "width": 8, "why": "no network"}


def record(column: str, seconds: list[float], digits: dict[str, Any] = REAL, **more):
    """Return a record of five epochs, or one with a reason and no seconds."""
    environment = {
        "machine": "m",
        "cpu": "CPU *9*",
        "cores": 2,
        "gpu": None,
        "memory_bytes": 1,
    }
    rising = [0.5, 0.8, 0.9, 0.92, 0.9345][: len(seconds)]
    return DigitsRecord(
        cell=DigitsCell(column),
        environment=environment,
        reason=None if seconds else "no CUDA device",
        seconds=seconds,
        dropped=1,
        accuracy=rising,
        loss=rising[::-1],
        learned_accuracy=rising,
        learned_loss=rising[::-1],
        settings={
            "epochs": 5,
            "batch": 128,
            "digits": digits,
            "pictures": {"accuracy": f"{column.lower()}-accuracy.png"},
        },
        **more,
    )


def machine(folder: Path, *records: DigitsRecord, name: str = "m_1") -> Machine:
    by_cell = {record.cell: record for record in records}
    return Machine(name, folder, {"mnist": by_cell} if by_cell else {})


CPU = record("CPU", [9.0, 6.0, 6.0, 6.0, 7.0])
GPU = record("GPU", [3.0, 0.5, 0.5, 0.5, 0.5])
NOTHING = record("cuDNN", [])


def text(*machines: Machine) -> str:
    """Return the part in words, and see that it is well-formed."""
    made = parts.render("mnist", machines)
    html.convert(made, "mnist")
    return " ".join(re.sub(r"base64,\S+", "", made).split())


def test_times_rates_and_speed_up(tmp_path) -> None:
    words = text(machine(tmp_path, CPU, GPU, NOTHING))
    # 1,500 digits in 6 s; 71.6 million operations for each of 250 in a second
    assert (
        r"* - m\_1, CPU - 1,500 - 6.00 s - 34.0 s - 250 - 17.9 - 93.45 %"
    ) in words.replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert (
        r"On m\_1 the GPU without cuDNN learns an epoch in 0.500 s, the CPU in 6.00 s: "
        "**12.0 times** as fast."
    ) in words
    assert "cuDNN not measured: no CUDA device." in words
    assert r"CPU \*9\*, 2 cores" in words
    assert "1,500 of 60,000 learned, 1,000 of 10,000 held out" in words
    assert "not MNIST" not in words


def test_epoch_by_epoch(tmp_path) -> None:
    words = text(machine(tmp_path, CPU, GPU))
    words = words.replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "* - 1 - 9.00 - 50.00 % - 3.00 - 50.00 %" in words
    assert "* - 5 - 7.00 - 93.45 % - 0.500 - 93.45 %" in words


def test_different_digits_are_not_compared(tmp_path) -> None:
    words = text(machine(tmp_path, CPU, record("GPU", list(GPU.seconds), OTHER)))
    assert "times** as fast" not in words
    assert "There is no speed-up to tell" in words
    assert "- 1,500 (not MNIST) -" in words
    assert "CPU: MNIST, 28×28 pixels" in words
    assert r"MNIST itself could not be had\: no network" in words


def test_several_machines_and_none(tmp_path) -> None:
    words = text(
        machine(tmp_path, CPU, NOTHING),
        machine(tmp_path, name="bare"),
        machine(tmp_path, NOTHING, name="third"),
    )
    assert "bare" not in words
    assert "GPU not measured: no record of it." in words
    assert "**third**" in words
    assert text() == "No machine has a record of this experiment."
    assert text(machine(tmp_path)) == "No machine has a record of this experiment."


def test_the_charts_of_plot_report_are_shown_where_they_are(tmp_path) -> None:
    assert "PlotReport" not in text(machine(tmp_path, CPU))
    (tmp_path / "mnist").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "mnist" / "cpu-accuracy.png")
    caption = "Accuracy, drawn by Chainer's PlotReport while the CPU learned."
    assert caption in text(machine(tmp_path, CPU))


@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK])
def test_curves_are_the_records_and_every_label_is_drawn(theme) -> None:
    figure = learning.draw([CPU, GPU], theme)
    accuracy, seconds = figure.axes
    for axes, values in (
        (accuracy, [[100 * a for a in r.accuracy] for r in (CPU, GPU)]),
        (seconds, [CPU.seconds, GPU.seconds]),
    ):
        assert [list(line.get_ydata()) for line in axes.lines] == values
        assert [line.get_color() for line in axes.lines] == list(theme.series[:2])
        places = [label.get_position()[1] for label in axes.texts]
        assert all(0 <= place <= 1.05 for place in places)
        assert abs(places[0] - places[1]) > 0.089
    labels = [label.get_text() for axes in figure.axes for label in axes.texts]
    assert labels == ["CPU, 93.45 %", "GPU, 93.45 %", "CPU, 7.00 s", "GPU, 0.500 s"]
    assert seconds.get_yscale() == "log"
    assert learning.draw([CPU], theme).axes[1].get_ylim()[0] == 0
