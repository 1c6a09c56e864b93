from __future__ import annotations

import pytest
import tiling
from measuring import Cell

from chainer_style.errors import UserError
from chainer_style.report.tilings import Row
from chainer_style.report.tilings import times as times_of


def test_a_cell():
    ways = [tiling.Way(48, 0), tiling.Way(48, 4)]
    found = tiling.measure(Cell("vgg16", 96, 1), ways, "seeded", 3, 0.01)
    rows = [Row(**row) for row in found]
    assert [(row.side, row.again) for row in rows] == [(None, 0), (48, 0), (48, 4)]
    assert all(len(row.turns) == 3 and min(row.turns) > 0 for row in rows)
    assert times_of(rows[0], rows) is None
    assert times_of(rows[2], rows) > 1
    lines = list(tiling.table(rows))
    assert lines[1].startswith("VGG-16, one thread, 96 px, as a whole")
    assert "tiles of 48 px, 4 taps computed anew" in lines[3]


def test_the_tightest_is_the_smallest_that_is_worth_it(posed):
    """As counted: `SLOWEST` times the whole at most."""
    problem = posed("vgg16", 1024)
    way = tiling.Way.read("tightest").of(problem, 2)
    assert (way.side, way.again) == (344, 4)
    assert tiling.Way(512, 4).of(problem, 2) == tiling.Way(512, 4)


@pytest.mark.parametrize(("size", "side"), [(1024, 512), (2048, 704)])
def test_the_smallest_that_are_kept(posed, size, side):
    """For less memory, it is faster to keep less of larger tiles."""
    assert tiling.Way.read("kept").of(posed("nin", size), 2) == tiling.Way(side, 0)


def test_times_are_those_of_the_rounds():
    whole = Row("vgg16", 96, 1, None, 0, [1.0, 2.0, 4.0])
    cut = Row("vgg16", 96, 1, 48, 0, [2.0, 3.0, 8.0])
    assert times_of(cut, [whole, cut]) == 2
    assert times_of(cut, [cut]) is None
    assert cut.seconds_per_megapixel == pytest.approx(3e6 / 96**2)


def test_what_is_too_small_is_named():
    with pytest.raises(UserError, match="NIN needs a picture of at least 67"):
        tiling.measure(Cell("nin", 64, 1), [], "seeded", 1, 0.01)


@pytest.mark.parametrize("word", ["", "many", "0:1", "64:-1", "64:x"])
def test_tiles_that_are_none(word):
    with pytest.raises(ValueError, match=f"invalid literal|^{word}$"):
        tiling.Way.read(word)
