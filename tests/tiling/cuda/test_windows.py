"""Windows of one size: each sees all that its tile depends on, and the right end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chainer_style import networks
from chainer_style.engines.cuda import onepass
from chainer_style.tiling.bands import Band
from chainer_style.tiling.cuda.windows import Windows
from chainer_style.tiling.grid import Grid
from chainer_style.tiling.ranks import Alone


def network_of(name):
    return networks.get(name).upto_taps()


def test_units():
    """Eight positions of a map of 64 channels or of 128, that a pooling halves."""
    assert onepass.unit(network_of("vgg16")) == 16
    assert Grid(network_of("vgg16"), 100, 100, 50, unit=16).step == 16
    assert onepass.unit(network_of("nin")) == 1


class Middle(Alone):
    def __init__(self):
        super().__init__()
        self.number, self.count = 1, 3


@given(
    st.sampled_from(["vgg16", "nin", "googlenet", "alexnet"]),
    st.integers(0, 300),
    st.integers(0, 300),
    st.integers(1, 200),
    st.booleans(),
)
def test_every_tile_sees_what_it_needs(name, height, width, side, banded):
    network = network_of(name)
    least = network.minimum_size()
    height, width = 600 * banded + least + height, least + width
    unit, rows = onepass.unit(network), None
    if banded:
        band = Band.of(network, height, width, Middle(), unit)
        rows = band.top, band.bottom
    grid = Grid(network, height, width, side, rows, unit)
    windows = Windows(grid)
    for tile in grid.tiles:
        window, needed = windows.of(tile), tile.window
        assert (window.height, window.width) == windows.extents
        assert window.top % grid.step == window.left % grid.step == 0
        assert 0 <= window.top <= needed.top
        assert 0 <= window.left <= needed.left
        assert needed.bottom <= window.bottom <= height
        assert needed.right <= window.right <= width
        # What is padded with zeros in the picture must be so in the window.
        assert (needed.bottom == height) <= (window.bottom == height)
        assert (needed.right == width) <= (window.right == width)
        shapes = network.shapes(*windows.extents)
        for node, own in windows.own(tile).items():
            assert own.top >= 0
            assert own.left >= 0
            assert own.bottom <= shapes[node].height
            assert own.right <= shapes[node].width
            assert own.top * grid.strides[node] % unit == 0
