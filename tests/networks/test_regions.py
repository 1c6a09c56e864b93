from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainer_style import networks
from chainer_style.networks import INPUT
from chainer_style.networks.nodes import Conv, Pool, Shape
from chainer_style.networks.regions import Region, needed


def test_a_region():
    region = Region(2, 3, 7, 5)
    assert (region.height, region.width) == (5, 2)
    assert region.within(Region(1, 3, 9, 9)) == Region(1, 0, 6, 2)
    assert region.hull(Region(4, 0, 6, 4)) == Region(2, 0, 7, 5)
    assert Region.of(Shape(7, 4, 6)) == Region(0, 0, 4, 6)
    assert Region(3, 3, 3, 9).is_empty
    assert not region.is_empty


def test_within_a_picture_it_is_the_receptive_field():
    network = networks.get("vgg16").upto("conv4_3")
    size, stride, start = network.receptive_field("conv4_3")
    middle = Region(30, 40, 31, 41)
    found = needed(network, 512, 512, {"conv4_3": middle})[INPUT]
    top, left = 30 * stride + start, 40 * stride + start
    # Pooling windows begin at multiples of their stride: at most one pixel more.
    assert found == Region(top, left, top + size, left + size)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_all_of_the_taps_needs_no_more_than_there_is(name):
    network = networks.get(name).upto_taps()
    shapes = network.shapes(331, 402)
    taps = {tap.node: Region.of(shapes[tap.node]) for tap in network.taps}
    found = needed(network, 331, 402, taps)
    assert found.keys() == shapes.keys()
    for node, part in found.items():
        assert part.top == part.left == 0
        assert part.bottom <= shapes[node].height
        assert part.right <= shapes[node].width


@given(
    st.sampled_from(list(networks.NETWORKS)),
    st.integers(100, 400),
    st.integers(100, 400),
    st.data(),
)
def test_every_window_lies_in_what_is_there(name, height, width, data):
    """Or where the map ends: a part is computed from parts alone."""
    network = networks.get(name).upto_taps()
    shapes = network.shapes(height, width)
    tap = data.draw(st.sampled_from([tap.node for tap in network.taps]))
    shape = shapes[tap]
    top = data.draw(st.integers(0, shape.height - 1))
    left = data.draw(st.integers(0, shape.width - 1))
    bottom = data.draw(st.integers(top + 1, shape.height))
    right = data.draw(st.integers(left + 1, shape.width))
    found = needed(network, height, width, {tap: Region(top, left, bottom, right)})
    for node in network.nodes:
        if node.name not in found:
            continue
        part = found[node.name]
        kernel, stride, pad = node.window
        for source in node.inputs:
            there, whole = found[source], shapes[source]
            first = max(part.top * stride - pad, 0)
            last = min((part.bottom - 1) * stride - pad + kernel, whole.height)
            assert there.top <= first
            assert last <= there.bottom
            if not isinstance(node, (Conv, Pool)):
                assert there == part
            elif isinstance(node, Conv):
                assert there.top % stride == there.left % stride == 0
