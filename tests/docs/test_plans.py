"""The page of the CPU engine says what the engine plans."""

from __future__ import annotations

import plans
import pytest
from docutils import nodes
from docutils.core import publish_doctree
from matplotlib.patches import Rectangle

from chainer_style import themes
from chainer_style.engines.cpu import choice
from chainer_style.engines.cpu.footprint import MIB, Footprint


def cells(text):
    """Return the rows of a table as lists of texts."""
    document = publish_doctree(text, settings_overrides={"report_level": 1})
    (table,) = document.findall(nodes.table)
    return [
        [entry.astext() for entry in row.findall(nodes.entry)]
        for row in table.findall(nodes.row)
    ]


@pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK])
def test_buffers_in_use_at_once_do_not_overlap(theme):
    draft = plans.drafted("vgg16", 96)
    (axes,) = plans.draw(draft, theme).axes
    drawn = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert len(drawn) == len(draft.buffers())
    boxes = [patch.get_bbox() for patch in drawn]
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            across = min(one.x1, other.x1) - max(one.x0, other.x0)
            up = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert across <= 0 or up <= 1e-9
    assert max(box.y1 for box in boxes) == pytest.approx(draft.arrange().size / MIB)


def test_the_chart_is_the_same_every_time():
    assert plans.memory("nin", 96) == plans.memory("nin", 96)


def test_tiles_of_every_convolution():
    head, *rows = cells(plans.tiles("vgg16"))
    assert head[1:] == [f"{size} px" for size in plans.SIZES]
    network, _ = plans._posed("vgg16")
    chosen = choice.tiles(network, 512, 512)
    found = {row[0]: row[-1] for row in rows}
    assert found["conv1_1"] == "no tile"
    assert found["conv4_3"].startswith(f"F({chosen['conv4_3', False]})")
    assert len(rows) == len(chosen) / 2


def test_directions_that_differ_are_both_named():
    assert plans._both(4, 4) == "F(4)"
    assert plans._both(4, 6) == "F(4) / F(6)"


def test_memory_of_sizes_that_a_network_accepts():
    _, *rows = cells(plans.footprints("vgg16", "nin"))
    found = {row[0]: row[1:] for row in rows}
    assert "NIN, 64 px" not in found
    network, protocol = plans._posed("vgg16")
    whole = Footprint.of(network, protocol, (128, 128), (128, 128), 1).total
    assert found["VGG-16, 128 px"][-1] == f"{whole / MIB:.1f}"


def test_every_target():
    found = cells(plans.targets())
    assert [row[0] for row in found[1:]] == ["avx512", "avx2", "generic"]
