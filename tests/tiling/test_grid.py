from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainer_style import networks
from chainer_style.networks.regions import Region, needed
from chainer_style.tiling.grid import Grid


@given(
    st.sampled_from(list(networks.NETWORKS)),
    st.integers(96, 500),
    st.integers(96, 500),
    st.integers(1, 600),
)
def test_every_position_belongs_to_one_tile(name, height, width, side):
    network = networks.get(name).upto_taps()
    grid = Grid(network, height, width, side)
    owners = {
        tap.node: np.zeros(grid.shapes[tap.node][1:], int) for tap in network.taps
    }
    for number, tile in enumerate(grid.tiles):
        assert tile.number == number
        assert tile.regions == needed(tile.network, height, width, tile.taps)
        for node, own in tile.taps.items():
            owners[node][own.slices] += 1
            assert tile.regions[node].hull(own) == tile.regions[node]
    for count in owners.values():
        assert (count == 1).all()


def test_a_tile_as_large_as_the_picture_is_the_only_one():
    network = networks.get("vgg16").upto_taps()
    (tile,) = Grid(network, 333, 250, 333).tiles
    assert tile.window == Region(0, 0, 333, 250)


def test_margins_are_what_the_deepest_tap_sees():
    """For VGG-16 to conv4_3: 42 pixels on either side, of which 48 were foreseen."""
    network = networks.get("vgg16").upto("conv4_3")
    tiles = Grid(network, 768, 768, 256).tiles
    assert Grid(network, 768, 768, 256).margin == 42
    assert tiles[4].window == Region(256 - 42, 256 - 42, 512 + 42, 512 + 42)


@pytest.mark.parametrize(("size", "side", "count"), [(2048, 512, 16), (7680, 512, 225)])
def test_most_tiles_share_their_geometry(size, side, count):
    grid = Grid(networks.get("vgg16").upto("conv4_3"), size, size, side)
    assert len(grid.tiles) == count
    assert len({tile.geometry for tile in grid.tiles}) == 9
