from __future__ import annotations

import profiles_made
import pytest

from chainer_style import themes
from chainer_style.report import floors, profiles


@pytest.fixture
def groups(tmp_path):
    cells = [("vgg16", 64, 1), ("vgg16", 128, 1), ("nin", 128, 1)]
    documents = [profiles_made.document(*cell) for cell in cells]
    found, _ = profiles.read(profiles_made.write(tmp_path, *documents))
    return profiles.groups(found)


@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK])
def test_a_bar_and_a_floor_per_phase(groups, theme):
    figure = floors.draw(groups, theme)
    panels = figure.axes
    titles = ["64 px: 160 ms", "128 px: 160 ms", "128 px: 160 ms"]
    assert [axes.get_title(loc="left") for axes in panels] == titles
    names = [label.get_text() for label in panels[0].get_yticklabels()]
    assert names == groups[0].phases
    assert [bar.get_width() for bar in panels[0].patches] == pytest.approx(
        [0.025, 0.040, 0.060, 0.010, 0.005, 0.010, 0.001]
    )
    marks = [line.get_xdata()[0] for line in panels[0].lines]
    assert marks == pytest.approx([0.002, 0.02, 0.02, 0.011, 0.001, 0.004, 0.0001])


def test_sizes_stand_below_each_other(groups):
    _, wide, below = floors.draw(groups).axes
    assert wide.get_position().x0 == below.get_position().x0
    assert wide.get_position().y0 > below.get_position().y1
