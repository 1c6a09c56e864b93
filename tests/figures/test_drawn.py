"""Figures 1 and 2."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest
from PIL import Image

from chainer_style import protocols, transfer
from chainer_style.errors import UserError
from chainer_style.figures import drawing, figure1, figure2
from chainer_style.figures.blocks import blocks
from chainer_style.figures.request import Request
from chainer_style.networks import NETWORKS
from chainer_style.themes import DARK, LIGHT

EVERY = pytest.mark.parametrize("name", NETWORKS)
DRAWN = pytest.mark.parametrize("module", [figure1, figure2])


def graph(name):
    return transfer.network_for(protocols.get("2016").with_options(model=name))


def columns(axes):
    """Texts of a drawing by place, left to right, each column top down."""
    found: dict[float, list[str]] = {}
    for text in sorted(axes.texts, key=lambda t: -t.get_position()[1]):
        found.setdefault(round(text.get_position()[0], 4), []).append(text.get_text())
    return [found[x] for x in sorted(found)]


@EVERY
def test_boxes_say_channels_height_and_width(name):
    network = graph(name)
    (axes,) = figure1.draw(network, (96, 128)).axes
    chain = blocks(network, 96, 128)
    written = [words[1:4] for words in columns(axes) if len(words) == 5]
    expected = [[str(n) for n in block.shape] for block in chain]
    assert [words for words in written if words in expected] == expected


@EVERY
def test_the_stream_is_as_wide_as_there_are_channels(name):
    network = graph(name)
    (axes,) = figure2.draw(network, (128, 128)).axes
    chain = blocks(network, 128, 128)
    bars = iter(axes.patches)
    bars = [p for p in bars if hasattr(p, "get_height")]
    strips = [channels for block in chain for channels in block.branches]
    assert len(bars) == len(strips)
    widest = max(block.shape.channels for block in chain)
    for bar, channels in zip(bars, strips, strict=True):
        assert bar.get_height() == pytest.approx(
            figure2.WIDEST * channels / widest, abs=0.017
        )
    counts = [t.get_text() for t in axes.texts if t.get_weight() == "bold"]
    assert counts == [str(block.shape.channels) for block in chain]


@DRAWN
@EVERY
def test_no_text_is_cut_off_or_over_another(module, name):
    figure = module.draw(graph(name), (128, 128))
    figure.draw_without_rendering()
    boxes = {
        text: text.get_window_extent()
        for text in figure.axes[0].texts
        if text.get_text()
    }
    for text, box in boxes.items():
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, text
    for (one, a), (two, b) in itertools.combinations(boxes.items(), 2):
        assert not a.padded(-1).overlaps(b.padded(-1)), (one, two)


@DRAWN
def test_files_for_light_and_dark_pages(module, tmp_path):
    request = Request(tmp_path, tmp_path, "seeded", size=96)
    settings = module.make("nin", request, tmp_path, print)
    files = settings["pictures"]["chart"]
    assert sorted(files) == ["dark", "light", "png"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(files.values())
    for kind, theme in (("light", LIGHT), ("dark", DARK)):
        text = (tmp_path / files[kind]).read_text(encoding="utf-8")
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert theme.paper in text
    with Image.open(tmp_path / files["png"]) as image:
        assert image.width == round(160 * drawing.WIDTH)


@DRAWN
def test_a_size_that_is_too_small_is_told(module, tmp_path):
    request = Request(tmp_path, tmp_path, "seeded", size=64)
    with pytest.raises(UserError, match="at least 67 pixels"):
        module.make("nin", request, tmp_path, print)
    assert not list(tmp_path.iterdir())


def test_names_of_layers_are_wrapped_where_they_have_parts():
    assert drawing.wrapped("conv1_1") == "conv1_1"
    assert drawing.wrapped("conv4-1024") == "conv4-\n1024"
    assert drawing.wrapped("inception_3a") == "inception\n3a"
