"""The parts of Figures 1 to 6, as reStructuredText and as HTML."""

from __future__ import annotations

import re

import pytest

from chainer_style import provenance
from chainer_style.experiments import records
from chainer_style.experiments.figures import FigureRecord, Figures
from chainer_style.report import html, machines, parts, rst, tiles

NUMBERS = range(1, 7)
SMALL = {3: "vgg16", 4: "vgg16"}
"""Figures that are made for one network alone."""
EVERY = pytest.mark.parametrize("number", NUMBERS)

IMAGES = {1: 4, 2: 4, 4: 6, 5: 24, 6: 3}
"""Pictures in each part."""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, pictures):
    """What the figures leave, small."""
    results = tmp_path_factory.mktemp("results")
    folder = results / provenance.machine_name() / FigureRecord.experiment
    folder.mkdir(parents=True)
    for number in NUMBERS:
        figures = Figures(number, *pictures, "seeded", size=72, iterations=1)
        for cell in figures.cells():
            if cell.name != SMALL.get(number, cell.name):
                continue
            records.save(figures.measure(cell, folder, lambda *_: None), results)
    return results


def rendered(results, number):
    return parts.render(f"figure{number}", machines.read(results).machines)


@EVERY
def test_a_part_is_html_with_its_pictures(drawn, number):
    page = html.convert(rendered(drawn, number), "x")
    images = re.findall(r'<img alt="([^"]+)"[^>]* src="data:image/', page)
    assert all(len(alt) > 5 for alt in images)
    # Not everywhere does matplotlib bring the portrait of Figure 3.
    assert len(images) == IMAGES[number] if number in IMAGES else len(images) in (3, 5)
    if number > 2:
        assert "seeded (untrained) weights" in page
    assert "VGG-16" in page


@EVERY
def test_without_records_it_says_how_to_make_them(number):
    page = html.convert(parts.render(f"figure{number}", []), "x")
    assert f"chainer-style reproduce figure{number}" in re.sub(r"<[^>]+>", "", page)
    assert "<img" not in page


@EVERY
def test_files_that_are_gone_are_told(drawn, number, tmp_path):
    for path in drawn.glob("*/figures/*.json"):
        copy = tmp_path / path.relative_to(drawn)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    page = html.convert(rendered(tmp_path, number), "x")
    assert "The file of this picture is gone." in page
    assert "<img" not in page


def test_a_record_names_no_file_elsewhere(drawn):
    (shown, *_) = tiles.shown(machines.read(drawn).machines, 1)
    assert shown.file("../../secret.json") is None
    name = shown.settings["pictures"]["chart"]["light"]
    assert shown.file(f"../../{name}") == shown.file(name) is not None


def test_the_first_machine_that_has_a_figure_shows_it(drawn, tmp_path):
    (machine,) = machines.read(drawn).machines
    empty = machines.Machine("other", tmp_path, {})
    (first, *_) = tiles.shown([empty, machine], 6)
    assert first.machine is machine


def test_numbers_of_the_record_are_printed(drawn):
    text = rendered(drawn, 4)
    (shown, *_) = tiles.shown(machines.read(drawn).machines, 4)
    half = shown.settings["half"]["conv4_3"]
    assert f"{half} axes of\n512 hold half" in text


def test_cells_may_have_several_lines():
    text = tiles.table([["one", f"two\n\n{rst.literal(3)}"], ["", "four"]], head=True)
    page = html.convert(text, "x")
    assert page.count("<th ") == 2
    assert page.count("<td") == 2
    assert "<p>two</p>" in page
