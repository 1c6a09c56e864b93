from __future__ import annotations

import gpu_memory
import gpu_tiles
import pytest
from gpu_measuring import Settings
from gpu_tiles import Cell

from chainer_style.report import card_tiles
from chainer_style.report.card_tiles import Row

SETTINGS = Settings(2, 0.01, "seeded", None, {}, tell=lambda line: None)


def test_a_cell_without_a_card():
    cell = Cell("vgg16", 64, 40, "float32")
    found = gpu_tiles.measure(cell, [32, 64], SETTINGS, gpu_memory.Nothing(), "cpu")
    rows = [Row(**row) for row in found]
    assert [row.side for row in rows] == [None, 32]
    whole, tiles = rows
    assert whole.loss_deviation is None
    assert tiles.loss_deviation < 1e-5
    assert 0 < tiles.gradient_deviation < 1e-5
    assert card_tiles.times(tiles, rows) > 1
    lines = list(gpu_tiles.table(rows))
    assert lines[1].startswith("VGG-16, float32, 64×40 px, as a whole")


def test_who_cannot_says_why():
    cell = Cell("vgg16", 40, 40, "tf32")
    found = gpu_tiles.measure(cell, [], SETTINGS, gpu_memory.Nothing(), "cpu")
    rows = [Row(**row) for row in found]
    assert all("tf32" in row.reason for row in rows)
    lines = list(gpu_tiles.table(rows))
    assert lines[1].startswith("VGG-16, tf32, 40×40 px, as a whole: not measured, ")


def test_there_are_no_times_beside_what_was_not_measured():
    given = ("vgg16", 96, 96, "tf32")
    whole = Row(*given, None, reason="no room")
    tiles = Row(*given, 48, iterations=2, turns=[2.0, 4.0])
    assert card_tiles.times(tiles, [whole, tiles]) is None
    there = Row(*given, None, iterations=4, turns=[2.0, 2.0])
    assert card_tiles.times(tiles, [there, tiles]) == 3.0
    assert tiles.seconds_per_megapixel == pytest.approx(1.5e6 / 96**2)


@pytest.mark.parametrize(
    ("word", "found"), [("96", (96, 96)), ("7680x4320", (7680, 4320))]
)
def test_extents(word, found):
    assert gpu_tiles.extents(word) == found


@pytest.mark.parametrize("word", ["", "0", "x4", "4x0", "4x4x4"])
def test_extents_that_are_none(word):
    with pytest.raises(ValueError, match=f"invalid literal|^{word}$"):
        gpu_tiles.extents(word)
