from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainer_style import networks
from chainer_style.errors import UserError
from chainer_style.networks import NIN, VGG16, Network, Shape, Tap
from chainer_style.networks.nodes import Conv, Pool, ReLU, sequential

# Channels × height × width at each tap, worked out by hand:
# VGG halves after every block, rounding down.
# NIN: conv1 (n - 11) // 4 + 1, then each pool (n - 3) // 2 + 1.
SHAPES = {
    ("vgg16", 64, 64): [(64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8)],
    ("vgg16", 128, 128): [(64, 128, 128), (128, 64, 64), (256, 32, 32), (512, 16, 16)],
    ("vgg16", 256, 256): [
        (64, 256, 256),
        (128, 128, 128),
        (256, 64, 64),
        (512, 32, 32),
    ],
    ("vgg16", 512, 512): [
        (64, 512, 512),
        (128, 256, 256),
        (256, 128, 128),
        (512, 64, 64),
    ],
    ("vgg16", 101, 77): [(64, 101, 77), (128, 50, 38), (256, 25, 19), (512, 12, 9)],
    ("vgg16", 8, 9): [(64, 8, 9), (128, 4, 4), (256, 2, 2), (512, 1, 1)],
    ("nin", 67, 67): [(96, 15, 15), (256, 7, 7), (384, 3, 3), (1024, 1, 1)],
    ("nin", 128, 128): [(96, 30, 30), (256, 14, 14), (384, 6, 6), (1024, 2, 2)],
    ("nin", 256, 256): [(96, 62, 62), (256, 30, 30), (384, 14, 14), (1024, 6, 6)],
    ("nin", 512, 512): [(96, 126, 126), (256, 62, 62), (384, 30, 30), (1024, 14, 14)],
    ("nin", 201, 99): [(96, 48, 23), (256, 23, 11), (384, 11, 5), (1024, 5, 2)],
}


def as_2016(network: Network) -> Network:
    return network.with_pooling("average", "floor").upto_taps()


@pytest.mark.parametrize(("name", "height", "width"), SHAPES)
def test_tap_shapes(name, height, width):
    network = as_2016(networks.get(name))
    shapes = network.shapes(height, width)
    found = [shapes[tap.node] for tap in network.taps]
    assert found == SHAPES[name, height, width]


def test_nin_at_64_pixels_is_refused_naming_the_minimum():
    network = as_2016(NIN)
    assert network.minimum_size() == 67
    network.check_size(67, 67)
    with pytest.raises(
        UserError, match=r"NIN needs .* at least 67 pixels .* not 64×80"
    ):
        network.check_size(80, 64)


def test_vgg_accepts_eight_pixels():
    assert as_2016(VGG16).minimum_size() == 8


@pytest.mark.parametrize(
    ("network", "parameters"), [(VGG16, 138_357_544), (NIN, 7_595_176)]
)
def test_number_of_parameters_is_the_published_one(network, parameters):
    shapes = itertools.chain.from_iterable(
        layer.values() for layer in network.parameter_shapes().values()
    )
    assert sum(map(math.prod, shapes)) == parameters


def test_whole_networks_end_in_a_thousand_classes():
    for network in (VGG16, NIN):
        shapes = network.shapes(network.input_size, network.input_size)
        assert shapes["prob"] == (1000, 1, 1)
    assert VGG16.shapes(224, 224)["pool5"] == (512, 7, 7)
    assert NIN.shapes(224, 224)["cccp8-1024"] == (1000, 6, 6)  # Caffe's ceil mode


def test_vgg_arithmetic_is_the_known_one():
    # 4.56, 18.2, 72.9 and 292 GFLOP for forward and backward together.
    gflop = [2e-9 * as_2016(VGG16).flops(n, n) for n in (64, 128, 256, 512)]
    np.testing.assert_allclose(gflop, [4.56, 18.2, 72.9, 292], rtol=0.003)


@pytest.mark.parametrize(
    ("network", "node", "size", "stride"),
    [
        (VGG16, "conv1_2", 5, 1),
        (VGG16, "conv4_3", 92, 8),
        (NIN, "conv1", 11, 4),
        (NIN, "conv4-1024", 195, 32),
    ],
)
def test_receptive_field(network, node, size, stride):
    field = network.receptive_field(node)
    assert (field.size, field.stride) == (size, stride)


def test_upto_keeps_only_what_is_needed():
    part = VGG16.upto("relu2_2")
    assert part.nodes[-1].name == "relu2_2"
    assert [tap.name for tap in part.taps] == ["conv1_2", "conv2_2"]
    assert "fc6" not in as_2016(VGG16).parameter_shapes()


def test_taps_move_behind_the_relu():
    moved = VGG16.with_taps_after_relu()
    assert [t.node for t in moved.taps] == ["relu1_2", "relu2_2", "relu3_3", "relu4_3"]
    assert NIN.with_taps_after_relu().taps == NIN.taps


def test_names():
    assert networks.get("vgg") is networks.get("VGG16") is VGG16
    with pytest.raises(UserError, match=r"unknown model 'resnet'.*nin, vgg, vgg16"):
        networks.get("resnet")


@pytest.mark.parametrize(
    "nodes",
    [
        (Conv("a", ("nowhere",), channels=1),),
        (ReLU("a", ("data",)), ReLU("a", ("data",))),
        (ReLU("a"),),
    ],
)
def test_a_graph_that_hangs_together_badly_is_refused(nodes):
    with pytest.raises(ValueError, match="node 'a' reads"):
        Network("n", "N", nodes, (), (0, 0, 0), 8, "test")


def test_a_tap_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no node 'b' to tap"):
        Network(
            "n", "N", sequential(ReLU("a")), (Tap("b", "b", 1, 1),), (0, 0, 0), 8, ""
        )


@given(
    length=st.integers(1, 40),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    pad=st.integers(0, 2),
    rounding=st.sampled_from(["floor", "ceil"]),
)
def test_pooling_extent_counts_windows(length, kernel, stride, pad, rounding):
    """Count the windows one by one, as Caffe and Chainer define them."""
    if pad >= kernel:
        return
    starts = range(-pad, length + pad, stride)
    if rounding == "floor":
        count = sum(start + kernel <= length + pad for start in starts)
    else:
        # A window is needed while the one before does not reach the end ...
        count, start = 1, -pad
        while start + kernel < length + pad:
            start += stride
            count += 1
        # ... and, with padding, not where it starts beyond the picture.
        if pad and start >= length:
            count -= 1
        if length + 2 * pad < kernel and stride <= kernel - length - 2 * pad:
            return  # Caffe's own formula gives no window here; nobody pools so.
    node = Pool("p", ("data",), kernel, stride, pad, rounding=rounding)
    assert node.output_shape([Shape(1, length, length)]).height == count
