"""Figures 3 to 6, small."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from chainer_style import networks
from chainer_style.errors import UserError
from chainer_style.figures import figure3, figure4, figure5, figure6
from chainer_style.figures.request import Request, setting
from chainer_style.links import NetworkChain

SEEDED = "seeded (untrained) weights"


@pytest.fixture
def request_of(pictures):
    def make(**more):
        return Request(*pictures, "seeded", **{"size": 32, "iterations": 3, **more})

    return make


def files(value):
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [name for part in parts for name in files(part)]


def opened(folder, name):
    with Image.open(folder / name) as image:
        image.load()
        return image


@pytest.mark.parametrize("module", [figure3, figure4, figure5, figure6])
def test_what_a_figure_says_is_there(module, request_of, tmp_path):
    states = []
    settings = module.make(
        "vgg16", request_of(), tmp_path, lambda *state: states.append(state)
    )
    named = files(settings["pictures"])
    assert sorted(named) == sorted(path.name for path in tmp_path.iterdir())
    assert settings["weights"]["label"] == SEEDED
    assert settings["size"] == 32
    shares = [share for share, _ in states]
    assert shares == sorted(shares)
    assert 0 < shares[-1] <= 1
    tiles = [name for name in named if name.endswith(".jpg")]
    for name in tiles:
        assert min(opened(tmp_path, name).size) >= 16


def test_the_grid_has_every_content_in_every_style(request_of, tmp_path):
    request = request_of(full=False)
    settings = figure3.make("vgg16", request, tmp_path, lambda *_: None)
    pictures = settings["pictures"]
    assert list(pictures["painted"]) == list(pictures["contents"])
    assert "content" in pictures["contents"]
    assert list(pictures["styles"]) == ["style"]
    for content, row in pictures["painted"].items():
        assert list(row) == list(pictures["styles"])
        painted = opened(tmp_path, row["style"])
        assert SEEDED in painted.info["comment"].decode()
        original = opened(tmp_path, pictures["contents"][content])
        assert painted.width / painted.height == pytest.approx(
            original.width / original.height, rel=0.1
        )


def test_styles_beside_the_chosen_one_are_taken_along(pictures, tmp_path):
    for name in (*figure3.SAMPLES, "mine"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.jpg")
    request = Request(pictures[0], tmp_path / "mine.jpg", "seeded")
    assert [p.stem for p in figure3.styles(request)] == ["mine", "swirls", "mosaic"]
    request = Request(pictures[0], tmp_path / "swirls.jpg", "seeded", full=True)
    assert [p.stem for p in figure3.styles(request)] == ["swirls", "mosaic", "ink"]


def test_a_missing_picture_is_the_users_error(pictures, tmp_path):
    request = Request(tmp_path / "none.png", pictures[1], "seeded", size=32)
    for module in (figure3, figure4, figure5, figure6):
        with pytest.raises(UserError, match=r"no such picture: .*none\.png"):
            module.make("vgg16", request, tmp_path, print)
    assert not list(tmp_path.iterdir())


def test_gram_matrices_are_numpys(request_of, weights_of):
    ready = setting("2016", "vgg16", request_of(), ())
    picture = ready.array(request_of().style)
    chain = NetworkChain(ready.network, ready.weights.arrays)
    found = figure4.gram_matrices(ready, picture)
    for tap, gram in zip(ready.network.taps, found, strict=True):
        (y,) = chain(picture, [tap.node])
        flat = y.array[0].reshape(y.shape[1], -1).astype(np.float64)
        expected = flat @ flat.T / flat.size
        scale = abs(expected).max()
        np.testing.assert_allclose(gram / scale, expected / scale, atol=1e-6)


def test_a_heat_map_is_sorted_and_scaled(random):
    features = random.normal(size=(5, 40)) * [[1], [4], [2], [5], [3]]
    gram = features @ features.T
    pixels = np.asarray(figure4.heat_map(gram), float).sum(axis=-1)
    side = len(pixels) // 5
    small = pixels[side // 2 :: side, side // 2 :: side]
    # The map of colours grows brighter with the value.
    assert (np.diff(np.diagonal(small)) < 0).all()
    order = [3, 1, 4, 2, 0]
    sorted_sizes = np.abs(gram[np.ix_(order, order)]).ravel()
    ranks = np.argsort(np.argsort(sorted_sizes))
    brightness = np.argsort(np.argsort(small.ravel(), kind="stable"))
    assert np.corrcoef(ranks, brightness)[0, 1] > 0.97
    assert figure4.heat_map(np.eye(300)).size == (figure4.TILE, figure4.TILE)
    assert np.isfinite(np.asarray(figure4.heat_map(np.zeros((4, 4))), float)).all()


def test_shares_of_a_known_matrix(random):
    basis, _ = np.linalg.qr(random.normal(size=(4, 4)))
    shares = figure4.spectrum(basis @ np.diag([1.0, 6.0, 0.0, 3.0]) @ basis.T)
    np.testing.assert_allclose(shares, [0.6, 0.3, 0.1, 0], atol=1e-12)
    assert [figure4.axes_for(shares, part) for part in (0.5, 0.9, 0.95)] == [1, 2, 3]


def test_the_chart_shows_the_shares():
    figure = figure4.draw({"conv1": [0.7, 0.2, 0.1], "conv2": [0.5, 0.5]})
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 1]
    drawn = [list(line.get_ydata()) for line in lines]
    assert drawn[0] == pytest.approx([70, 90, 100])
    assert drawn[1] == pytest.approx([50, 100])
    assert "conv2" in [text.get_text() for text in figure.axes[0].texts]


def test_reconstructions_come_closer(request_of):
    request = request_of(iterations=15)
    ready = setting("modern", "vgg16", request, (), init="noise", learning_rate=8.0)
    for term in ("content", "style"):
        for tap in ("conv1_2", "conv3_3"):
            job = figure5.reconstruction(ready, request, term, tap)
            losses = [iterate.losses for iterate in job.run()]
            terms = [sum(getattr(loss, term)) for loss in losses]
            assert terms[-1] < 0.7 * terms[0]
            # Nothing else is minimised.
            assert losses[-1].total == pytest.approx(terms[-1], rel=1e-5)


def test_reconstructions_read_what_they_should():
    content = figure5.only(networks.VGG16, "content", "conv3_3")
    assert [(t.name, t.content, t.style) for t in content.taps] == [("conv3_3", 1, 0)]
    assert content.nodes[-1].name == "conv3_3"
    style = figure5.only(networks.VGG16, "style", "conv2_2")
    assert [(t.name, t.content, t.style) for t in style.taps] == [
        ("conv1_2", 0, 1),
        ("conv2_2", 0, 1),
    ]


def test_channels_are_chosen_within_the_picture():
    channels = np.zeros((6, 16, 16), np.float32)
    channels[0, -1, :] = 99  # along the edge alone
    for i in range(1, 6):
        channels[i, 8, 4:12] = i
    assert figure5.strongest(channels) == [5, 4, 3, 2]
    pixels = np.asarray(figure5.shown(channels[5]), float).sum(axis=-1)
    assert pixels.shape == (128, 128)
    assert pixels[68, 60] > 5 * pixels[4, 60] + 100


def test_the_filmstrip_has_the_asked_frames(request_of, tmp_path):
    settings = figure6.make("vgg16", request_of(iterations=12), tmp_path, print)
    assert list(settings["pictures"]["frames"]) == ["0", "10"]
    assert settings["iterations"] == 11
    assert list(settings["losses"]) == ["0", "10"]
    first, last = (settings["losses"][frame] for frame in ("0", "10"))
    assert last["style"] < first["style"]
    for loss in (first, last):
        assert loss["total"] == pytest.approx(loss["content"] + loss["style"], rel=1e-4)
    frames = [
        np.asarray(opened(tmp_path, name), float)
        for name in settings["pictures"]["frames"].values()
    ]
    assert abs(frames[1] - frames[0]).mean() > 5


def test_frames_without_a_limit():
    assert figure6.frames_of(Request("", "", "")) == [0, 10, 50, 100, 200]
    assert figure6.frames_of(Request("", "", "", full=True))[-1] == 4900


def test_the_chart_of_losses_shows_them():
    curves = {name: [8.0, 4.0, 2.0] for name in ("total", "content", "style")}
    (axes,) = figure6.draw(curves, [0, 2]).axes
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 3]
    assert len(drawn) == 3
    assert all(list(line.get_xdata()) == [1, 2, 3] for line in drawn)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "2"]
