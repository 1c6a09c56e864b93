"""The sample pictures: reproducible, sound in their geometry, and as committed."""

import importlib
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
SMALL = {
    "lighthouse": (96, 72),
    "swirls": (64, 64),
    "mosaic": (64, 64),
    "ink": (64, 64),
}


@pytest.fixture(scope="module")
def load():
    """Import a module of the samples folder, as its script does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(SAMPLES), *sys.path])
        yield importlib.import_module


@pytest.fixture(scope="module")
def draw(load) -> ModuleType:
    return load("draw")


def difference(a: Image.Image, b: Image.Image) -> float:
    """Mean absolute difference of two pictures, in levels of 0 to 255."""
    return float(np.mean(ImageStat.Stat(ImageChops.difference(a, b)).mean))


@pytest.fixture(scope="module")
def small(draw):
    """Each picture at its small size, drawn once."""
    return cache(lambda name: draw.SAMPLES[name].draw(SMALL[name]))


@pytest.mark.parametrize("name", SMALL)
def test_drawing_is_deterministic(draw, small, name):
    size = SMALL[name]
    first, second = small(name), draw.SAMPLES[name].draw(size)
    assert first.mode == "RGB"
    assert first.size == size
    assert first.tobytes() == second.tobytes()
    assert min(ImageStat.Stat(first).stddev) > 25  # a picture, not a flat field


@pytest.mark.parametrize("name", SMALL)
def test_small_drawing_shows_the_committed_picture(small, name):
    with Image.open(SAMPLES / f"{name}.jpg") as committed:
        shrunk = committed.convert("RGB").resize(SMALL[name], Image.Resampling.LANCZOS)
    # Fine texture and its shading differ between sizes; the large forms must not.
    coarse = (SMALL[name][0] // 8, SMALL[name][1] // 8)
    a, b = (p.resize(coarse, Image.Resampling.BOX) for p in (small(name), shrunk))
    mirrored = b.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    alike, unlike = (
        np.corrcoef(np.ravel(a), np.ravel(other))[0, 1] for other in (b, mirrored)
    )
    assert alike > 0.95
    assert unlike < alike - 0.1
    assert difference(a, b) < 20


def test_committed_files_are_as_documented(draw):
    readme = (SAMPLES / "README.rst").read_text(encoding="utf-8")
    assert {p.stem for p in SAMPLES.glob("*.jpg")} == set(draw.SAMPLES)
    for name, sample in draw.SAMPLES.items():
        path = SAMPLES / f"{name}.jpg"
        with Image.open(path) as picture:
            assert picture.size == sample.size
            assert picture.mode == "RGB"
        assert path.stat().st_size < 250_000
        row = readme.split(f"``{name}.jpg``", 1)[1].split("* - ", 1)[0]
        assert "{} × {}".format(*sample.size) in row


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_redrawing_gives_the_committed_picture(draw, name, tmp_path):
    draw.main(["--output", str(tmp_path / "new"), name])
    (path,) = (tmp_path / "new").iterdir()
    with Image.open(path) as new, Image.open(SAMPLES / path.name) as committed:
        assert difference(new, committed) < 1.0


def test_command_line_draws_what_it_is_asked_for(draw, tmp_path, monkeypatch, capsys):
    small = {n: draw.Sample(s.draw, (40, 40)) for n, s in draw.SAMPLES.items()}
    monkeypatch.setattr(draw, "SAMPLES", small)
    draw.main(["--output", str(tmp_path), "ink", "mosaic"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ink.jpg", "mosaic.jpg"]
    assert capsys.readouterr().out.split() == [
        str(tmp_path / "ink.jpg"),
        str(tmp_path / "mosaic.jpg"),
    ]
    with pytest.raises(SystemExit):
        draw.main(["--output", str(tmp_path), "lighthuose"])
    assert "no sample named 'lighthuose'" in capsys.readouterr().err


def test_larger_pictures_are_drawn_elsewhere(draw, tmp_path, monkeypatch, capsys):
    small = {n: draw.Sample(s.draw, (40, 30)) for n, s in draw.SAMPLES.items()}
    monkeypatch.setattr(draw, "SAMPLES", small)
    draw.main(["--output", str(tmp_path), "--scale", "3", "lighthouse"])
    with Image.open(tmp_path / "lighthouse.jpg") as picture:
        assert picture.size == (120, 90)
    capsys.readouterr()
    with pytest.raises(SystemExit):
        draw.main(["--scale", "2", "lighthouse"])
    assert "--scale needs --output" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        draw.main(["--output", str(tmp_path), "--scale", "0"])
    assert "--scale is 0" in capsys.readouterr().err


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), x=st.floats(-900, 900), y=st.floats(-900, 900))
def test_noise_is_smooth_bounded_and_zero_on_its_lattice(load, seed, x, y):
    noise = load("noise").Noise(seed)
    around = np.linspace(0, 0.01, 11, dtype=np.float32)
    values = noise(np.float32(x) + around, np.float32(y))
    assert np.abs(values).max() <= 1.5
    assert np.abs(np.diff(values)).max() < 0.02
    assert noise(np.floor(x), np.floor(y)) == 0


def test_spline_passes_through_its_points(load):
    points = [(0, 1.0), (2, -3.0), (3, 0.5), (7, 2.0)]
    x, y = np.array(points).T
    spline = load("noise").spline
    np.testing.assert_allclose(spline(points, x), y, atol=1e-6)
    line = [(0, 1.0), (1, 3.0), (4, 9.0)]
    at = np.linspace(0, 4, 9)
    np.testing.assert_allclose(spline(line, at), 1 + 2 * at, rtol=1e-6)


def test_ground_behind_each_pixel_is_the_first_that_its_ray_meets(load):
    """Against plain marching along each ray."""
    terrain = load("terrain")
    view = terrain.View(12, 9)
    ground = terrain.look(view)
    walk = np.geomspace(5, 420, 4000)
    blur = 1.5 * ((420 / 5) ** (1 / 199) - 1)  # `look` knows 200 depths, in geometric
    hits = 0
    for row, v in enumerate(view.v):
        for column, u in enumerate(view.u):
            above = terrain.EYE + v * walk - terrain.elevation(u * walk, walk)
            found = ground.y[row, column]
            # Nothing but details too small for those depths stands before the point,
            before = above[walk < found * (1 - blur)]
            assert before.min(initial=1) > -1.0
            if np.isfinite(found):  # where the ray does meet the ground.
                assert above[np.abs(walk / found - 1) <= blur].min() < 0.05
                hits += 1
    assert hits > view.width * view.height / 4


def test_projection_inverts_the_rays(load):
    terrain = load("terrain")
    view = terrain.View(40, 30)
    u, v = np.meshgrid(view.u, view.v)
    depth = 37.0
    column, row = view.project(u * depth, depth, terrain.EYE + v * depth)
    np.testing.assert_allclose(column, np.arange(40) + 0.5 + 0 * u, rtol=1e-5)
    np.testing.assert_allclose(row, (np.arange(30) + 0.5)[:, None] + 0 * u, rtol=1e-5)


def test_every_place_of_the_mosaic_belongs_to_a_piece(load):
    mosaic = load("mosaic")
    axis = (np.arange(300, dtype=np.float32) + 0.5) / 300
    x, y = np.meshgrid(axis, axis)
    pieces = mosaic.lay_out(x, y)
    assert pieces.edge.min() > -0.005  # corners are rounded by a little
    assert pieces.edge.max() < mosaic.WIDTHS.max()
    names, sizes = np.unique(pieces.name, return_counts=True)
    assert 400 < len(names) < 2000
    # A piece is one compact thing about its middle.
    away = np.hypot(x - pieces.x, y - pieces.y)
    assert away.max() < 1.5 * mosaic.WIDTHS.max()
    assert sizes.max() < (2.5 * mosaic.WIDTHS.max() * 300) ** 2
