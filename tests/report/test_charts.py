from __future__ import annotations

import dataclasses
import io
import itertools
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chainer_style import added, themes
from chainer_style.paper import (
    ITERATIONS,
    RATE_TABLES,
    TABLE_4,
    TABLE_5,
    Cell,
    RateTable,
)
from chainer_style.report import charts
from chainer_style.report import machines as report_machines
from chainer_style.report.machines import Machine

TABLES = pytest.mark.parametrize(
    "table", RATE_TABLES.values(), ids=lambda table: str(table.number)
)


@pytest.fixture(scope="module")
def machines(results: Path) -> dict[str, Machine]:
    return {m.name: m for m in report_machines.read(results, "short").machines}


@TABLES
@pytest.mark.parametrize("name", ["short", "long"])
def test_curves_are_those_of_paper_and_records(
    machines: dict[str, Machine], table: RateTable, name: str
) -> None:
    machine = machines[name]
    figure = charts.draw(table, machine)
    columns = charts.drawn_columns(table, machine)
    assert columns == (["CPU", "GPU"] if name == "short" else ["CPU", "GPU", "cuDNN"])
    for axes, column in zip(figure.axes, columns, strict=True):
        drawn = [
            tuple(line.get_ydata())
            for line in axes.lines
            if len(line.get_xdata()) == 5  # neither marks nor lines to the labels
        ]
        expected: list[tuple[float, ...]] = []
        for row in table.rows:
            cell = Cell(*row, column)
            expected += [ITERATIONS[cell]] if cell in ITERATIONS else []
            today = [cell, added.beside(cell)] if column == "CPU" else [cell]
            expected += [
                tuple(record.iterations_after(m)[0] for m in range(1, 6))
                for record in map(machine.measured, today)
                if record
            ]
        assert sorted(drawn) == sorted(tuple(values) for values in expected)
        low, high = axes.get_ylim()
        assert low < min(map(min, drawn)) <= max(map(max, drawn)) < high


def test_panels_span_as_many_decades(machines: dict[str, Machine]) -> None:
    limits = [axes.get_ylim() for axes in charts.draw(TABLE_5, machines["long"]).axes]
    spans = [np.log10(high / low) for low, high in limits]
    np.testing.assert_allclose(spans, spans[0])
    assert limits[1] == limits[2]


@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK])
def test_what_the_paper_had_not_has_its_own_colour_and_marks(
    machines: dict[str, Machine], theme: themes.Theme
) -> None:
    assert theme.added not in theme.series
    cpu, *others = charts.draw(TABLE_5, machines["long"], theme).axes
    diamonds = [line for line in cpu.lines if line.get_marker() == "D"]
    assert len(diamonds) == 5 * len(TABLE_5.rows)
    assert {line.get_color() for line in diamonds} == {theme.added}
    named = [t for t in cpu.texts if t.get_color() == theme.added]
    assert sorted(t.get_text().split(",")[1].split()[0] for t in named) == 4 * [
        "engine"
    ]
    assert not any(line.get_marker() == "D" for a in others for line in a.lines)
    key = " ".join(charts.key(TABLE_5, machines["long"]))
    assert f"Diamonds, “engine”: {added.TITLE}, no column of the paper." in key


def test_no_curve_where_it_was_not_measured(machines: dict[str, Machine]) -> None:
    whole = machines["short"]
    faithful = {c: r for c, r in whole.rates.items() if not added.is_added(c)}
    some = Cell("vgg16", 64, "CPU", added.ENGINE)
    for left, words in (
        (faithful, f"No curve of {added.TITLE}: no record of it yet; run: make table5"),
        (
            {**faithful, some: whole.rates[some]},
            f"No curve of {added.TITLE}, 128 px, 256 px and 512 px: no record",
        ),
    ):
        machine = dataclasses.replace(whole, records={"rates": left})
        lines = charts.draw(TABLE_5, machine).axes[0].lines
        marks = [line for line in lines if line.get_marker() == "D"]
        assert len(marks) == 5 * (some in left)
        key = " ".join(charts.key(TABLE_5, machine))
        assert words in key
        assert ("Diamonds" in key) is (some in left)


def test_marks_tell_counted_from_reckoned(machines: dict[str, Machine]) -> None:
    for name, filled in (("short", False), ("long", True)):
        axes = charts.draw(TABLE_4, machines[name]).axes[0]
        marks = [line for line in axes.lines if line.get_marker() == "o"]
        assert len(marks) == 10
        for mark in marks:
            assert (mark.get_markerfacecolor() == mark.get_color()) is filled


def test_chart_says_what_is_missing(machines: dict[str, Machine]) -> None:
    short = charts.draw(TABLE_4, machines["short"]).axes
    assert _texts(short[1]).endswith("today not measured: no CUDA device")
    long = charts.draw(TABLE_4, machines["long"]).axes
    assert "NIN today not measured: out of memory at 4 GiB" in _texts(long[2])
    assert "left out of the table: 'GPU mode only' was faster" in _texts(long[2])
    key = " ".join(charts.key(TABLE_4, machines["short"]))
    assert "No curves for cuDNN" in key
    assert "no CUDA device" in key


def _texts(axes: object) -> str:
    return " ".join(" ".join(t.get_text().split()) for t in axes.texts)


@TABLES
def test_files_carry_the_label(machines: dict[str, Machine], table: RateTable) -> None:
    figure = charts.draw(table, machines["short"], alone=True)
    words = " ".join(text.get_text() for text in figure.texts)
    assert words.startswith(f"Figure {table.figure}.")
    assert "seeded (untrained) weights" in " ".join(words.split())


def test_nothing_is_cut_off(machines: dict[str, Machine]) -> None:
    for table in RATE_TABLES.values():
        for machine in machines.values():
            for narrow in (False, True):
                figure = charts.draw(table, machine, narrow=narrow, alone=not narrow)
                figure.draw_without_rendering()
                page = figure.bbox
                for text in [*figure.texts, *(t for a in figure.axes for t in a.texts)]:
                    box = text.get_window_extent()
                    if text.get_text():
                        assert page.x0 <= box.x0 < box.x1 <= page.x1, text
                        assert page.y0 <= box.y0 < box.y1 <= page.y1, text


def test_labels_do_not_overlap(machines: dict[str, Machine]) -> None:
    for axes in charts.draw(TABLE_5, machines["long"]).axes:
        axes.figure.draw_without_rendering()
        boxes = [t.get_window_extent() for t in axes.texts if "today " in t.get_text()]
        boxes += [t.get_window_extent() for t in axes.texts if "paper " in t.get_text()]
        boxes += [t.get_window_extent() for t in axes.texts if "engine" in t.get_text()]
        ends = sorted((box.y0, box.y1) for box in boxes)
        for (_, top), (bottom, _) in itertools.pairwise(ends):
            assert bottom > top - 2


@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK])
def test_saved_images(machines: dict[str, Machine], theme: themes.Theme) -> None:
    figure = charts.draw(TABLE_4, machines["short"], theme)
    image = Image.open(io.BytesIO(themes.save(figure, "png"))).convert("RGB")
    assert "#{:02x}{:02x}{:02x}".format(*image.getpixel((0, 0))) == theme.paper
    first, second = (
        themes.save(charts.draw(TABLE_4, machines["short"], theme), "svg")
        for _ in range(2)
    )
    assert first == second
    assert ElementTree.fromstring(first).tag.endswith("svg")


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours: WCAG 2.1, relative luminance."""

    def luminance(color: str) -> float:
        parts = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(
            parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK])
def test_colours_are_readable(theme: themes.Theme) -> None:
    for color in (*theme.series, theme.added, theme.ink, theme.faint):
        assert contrast(color, theme.paper) >= 4.5
    assert len(theme.series) >= max(len(t.rows) for t in RATE_TABLES.values())


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.2))
def test_spread(places: list[float], least: float) -> None:
    moved = charts.spread(places, least)
    order = sorted(range(len(places)), key=places.__getitem__)
    gaps = np.diff([moved[i] for i in order])
    assert np.all(gaps >= least - 1e-9)
    assert sum(moved) == pytest.approx(sum(places))
    if np.all(np.diff(sorted(places)) >= least):
        assert moved == pytest.approx(places)
