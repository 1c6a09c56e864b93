"""Windows of a picture, copied and added to by threads."""

from __future__ import annotations

import numpy as np
import pytest

from chainer_style.engines.cpu import compiled
from chainer_style.engines.cpu.team import team
from chainer_style.tiling import rows


@pytest.fixture(params=[1, 2, 3])
def threads(request, kernels):
    compiled.load()
    return team(request.param)


@pytest.fixture(
    params=[
        np.s_[:, :],
        np.s_[3:4, 5:6],
        np.s_[:11, 2:],
        np.s_[7:, :19],
        np.s_[2:39, 1:22],
    ]
)
def window(request):
    return request.param


def test_rows_are_the_windows(threads, window, random):
    picture = random.normal(size=(41, 23, 3)).astype(np.float32)
    before = picture.copy()
    found = np.full(picture[window].shape, np.nan, np.float32)
    rows.copy(threads, picture[window], found)
    np.testing.assert_array_equal(found, before[window])
    np.testing.assert_array_equal(picture, before)


def test_rows_are_added_to_a_window_and_nowhere_else(threads, window, random):
    picture = random.normal(size=(41, 23, 3)).astype(np.float32)
    more = random.normal(size=picture[window].shape).astype(np.float32)
    true = picture.copy()
    true[window] += more
    rows.add(threads, picture[window], more)
    np.testing.assert_array_equal(picture, true)
