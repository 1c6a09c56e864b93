"""The picture's own steps, by NumPy and by threads, against float64 of the whole."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from chainer_style.engines.cpu import compiled
from chainer_style.engines.cpu.team import team
from chainer_style.images import Canvas
from chainer_style.tiling.bands import Band
from chainer_style.tiling.moving import CompiledPicture
from chainer_style.tiling.picture import Picture
from chainer_style.tiling.ranks import Alone

HEIGHT, WIDTH = 40, 23
WEIGHT = 0.03
EPSILON = 1e-3
CUTS = [[(0, 40)], [(0, 16), (16, 32), (32, 40)], [(0, 1), (1, 40)]]
CANVAS = Canvas(HEIGHT, WIDTH, 0, 0, (120.0, 110.0, 100.0))


@pytest.fixture(params=["numpy", 1, 2, 3])
def make(request, kernels):
    if request.param == "numpy":
        return Picture
    compiled.load()
    return functools.partial(CompiledPicture, team(request.param))


@pytest.fixture
def whole(random):
    return random.uniform(-130, 140, (HEIGHT, WIDTH, 3)).astype(np.float32)


def band(top, bottom):
    """Return a band that holds up to three rows more on each side."""
    first, last = max(0, top - 3), min(HEIGHT, bottom + 3)
    return Band(Alone(), top, bottom, first, last)


def held(make, whole, cut, **options):
    own = band(*cut)
    rows = whole[own.first : own.last].copy()
    options = {"epsilon": EPSILON, "by_pixel": False} | options
    return make(rows, HEIGHT, own, CANVAS, **options)


@pytest.mark.parametrize("cuts", CUTS)
def test_the_total_variation(make, whole, cuts):
    wide = whole.astype(np.float64)
    gradient, total = np.zeros_like(wide), 0.0
    for axis in (0, 1):
        difference = np.diff(wide, axis=axis)
        mean = WEIGHT / difference.size
        total += mean * np.square(difference).sum()
        upper = [(0, 0)] * 3
        upper[axis] = (0, 1)
        lower = [(0, 0)] * 3
        lower[axis] = (1, 0)
        gradient += 2 * mean * (np.pad(difference, lower) - np.pad(difference, upper))
    found, sums = np.zeros_like(wide), 0.0
    for cut in cuts:
        picture = held(make, whole, cut)
        picture.gradient[...] = 0
        sums += picture.vary(WEIGHT)
        own = picture._band
        found[own.first : own.last] += picture.gradient
    assert sums == pytest.approx(total, rel=1e-5)
    np.testing.assert_allclose(found, gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cuts", CUTS)
def test_adam_and_the_clip(make, whole, random, cuts):
    low, high = (bound.reshape(3).astype(np.float64) for bound in CANVAS.bounds)
    true, first, second = whole.astype(np.float64), 0.0, 0.0
    pictures = [held(make, whole, cut) for cut in cuts]
    for rate in (30.0, 20.0, 10.0):
        gradient = random.standard_normal(whole.shape).astype(np.float32)
        first = 0.9 * first + 0.1 * gradient.astype(np.float64)
        second = 0.999 * second + 0.001 * np.square(gradient, dtype=np.float64)
        true = np.clip(true - rate * first / (np.sqrt(second) + EPSILON), low, high)
        for picture in pictures:
            own = picture._band
            picture.gradient[...] = gradient[own.first : own.last]
            picture.move(rate)
    moved = np.concatenate([p.pixels[p._band.own] for p in pictures])
    np.testing.assert_allclose(moved, true, atol=2e-3)
    assert (true == low).any()
    assert (true == high).any()
    kept = np.concatenate([p.moments[1] for p in pictures])
    np.testing.assert_allclose(kept, second, rtol=1e-4)


@pytest.mark.parametrize("corner", [3.25, 500.0])
def test_the_programs_clip(make, whole, corner):
    """Where the first value is clipped, all are cut to integers."""
    whole[0, 0, 0] = corner
    picture = held(make, whole, (0, HEIGHT), by_pixel=True)
    picture.gradient[...] = 0
    picture.move(1.0)
    wanted = np.clip(whole, -120, 136)
    if corner > 136:
        wanted = np.trunc(wanted)
    np.testing.assert_array_equal(picture.pixels, wanted)
