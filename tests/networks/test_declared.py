"""The networks are those that were published."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from chainer_style import networks
from chainer_style.errors import UserError
from chainer_style.networks import (
    ALEXNET,
    GOOGLENET,
    ILLUST2VEC,
    NETWORKS,
    NIN,
    VGG16,
    VGG19,
    Network,
)

CHANNELS = {
    "vgg16": (64, 128, 256, 512),
    "vgg19": (64, 128, 256, 512),
    "nin": (96, 256, 384, 1024),
    "googlenet": (64, 192, 256, 480, 512, 512),
    "illust2vec": (64, 128, 256, 512, 512, 1539),
    "alexnet": (96, 256, 384, 384, 256),
}

# Height × width at each tap, worked out by hand:
# VGG halves after every block, rounding down.
# NIN and AlexNet: conv1 (n - 11) // 4 + 1, then each pool (n - 3) // 2 + 1.
# GoogLeNet: conv1 (n - 1) // 2 + 1, then each pool (n - 3) // 2 + 1.
EXTENTS = {
    ("vgg16", 64, 64): "64x64 32x32 16x16 8x8",
    ("vgg16", 128, 128): "128x128 64x64 32x32 16x16",
    ("vgg16", 256, 256): "256x256 128x128 64x64 32x32",
    ("vgg16", 512, 512): "512x512 256x256 128x128 64x64",
    ("vgg16", 101, 77): "101x77 50x38 25x19 12x9",
    ("vgg16", 8, 9): "8x9 4x4 2x2 1x1",
    ("vgg19", 128, 128): "128x128 64x64 32x32 16x16",
    ("vgg19", 101, 77): "101x77 50x38 25x19 12x9",
    ("nin", 67, 67): "15x15 7x7 3x3 1x1",
    ("nin", 128, 128): "30x30 14x14 6x6 2x2",
    ("nin", 256, 256): "62x62 30x30 14x14 6x6",
    ("nin", 512, 512): "126x126 62x62 30x30 14x14",
    ("nin", 201, 99): "48x23 23x11 11x5 5x2",
    ("googlenet", 29, 29): "15x15 7x7 3x3 3x3 1x1 1x1",
    ("googlenet", 64, 64): "32x32 15x15 7x7 7x7 3x3 3x3",
    ("googlenet", 128, 128): "64x64 31x31 15x15 15x15 7x7 7x7",
    ("googlenet", 512, 512): "256x256 127x127 63x63 63x63 31x31 31x31",
    ("googlenet", 101, 77): "51x39 25x19 12x9 12x9 5x4 5x4",
    ("illust2vec", 64, 64): "64x64 32x32 16x16 8x8 4x4 2x2",
    ("illust2vec", 256, 256): "256x256 128x128 64x64 32x32 16x16 8x8",
    ("illust2vec", 101, 77): "101x77 50x38 25x19 12x9 6x4 3x2",
    ("illust2vec", 33, 65): "33x65 16x32 8x16 4x8 2x4 1x2",
    ("alexnet", 35, 35): "7x7 3x3 1x1 1x1 1x1",
    ("alexnet", 64, 64): "14x14 6x6 2x2 2x2 2x2",
    ("alexnet", 227, 227): "55x55 27x27 13x13 13x13 13x13",
    ("alexnet", 101, 77): "23x17 11x8 5x3 5x3 5x3",
}


def as_2016(network: Network) -> Network:
    return network.with_pooling("average", "floor").upto_taps()


@pytest.mark.parametrize(("name", "height", "width"), EXTENTS)
def test_tap_shapes(name, height, width):
    network = as_2016(networks.get(name))
    shapes = network.shapes(height, width)
    found = [shapes[tap.node] for tap in network.taps]
    extents = EXTENTS[name, height, width].split()
    assert [str(shape) for shape in found] == [
        f"{channels}×{extent.replace('x', '×')}"
        for channels, extent in zip(CHANNELS[name], extents, strict=True)
    ]


def test_nin_at_64_pixels_is_refused_naming_the_minimum():
    network = as_2016(NIN)
    assert network.minimum_size() == 67
    network.check_size(67, 67)
    with pytest.raises(
        UserError, match=r"NIN needs .* at least 67 pixels .* not 64×80"
    ):
        network.check_size(80, 64)


@pytest.mark.parametrize(
    ("network", "size"),
    [(VGG16, 8), (VGG19, 8), (GOOGLENET, 29), (ILLUST2VEC, 32), (ALEXNET, 35)],
)
def test_smallest_picture(network, size):
    """One step back from a single position at the last tap, by hand."""
    assert as_2016(network).minimum_size() == size


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (VGG16, 138_357_544),
        (VGG19, 143_667_240),
        (NIN, 7_595_176),
        (GOOGLENET, 6_998_552),  # without the classifiers loss1 and loss2
        (ALEXNET, 60_965_224),
    ],
)
def test_number_of_parameters_is_the_published_one(network, parameters):
    shapes = itertools.chain.from_iterable(
        layer.values() for layer in network.parameter_shapes().values()
    )
    assert sum(map(math.prod, shapes)) == parameters


def test_whole_networks_end_in_a_thousand_classes():
    for network in NETWORKS.values():
        shapes = network.shapes(network.input_size, network.input_size)
        classes = 1539 if network is ILLUST2VEC else 1000  # tags
        assert shapes["prob"] == (classes, 1, 1)
    assert VGG16.shapes(224, 224)["pool5"] == (512, 7, 7)
    # Caffe's ceil mode.
    assert NIN.shapes(224, 224)["cccp8-1024"] == (1000, 6, 6)
    assert GOOGLENET.shapes(224, 224)["pool2/3x3_s2"] == (192, 28, 28)
    assert GOOGLENET.shapes(224, 224)["inception_5b/output"] == (1024, 7, 7)
    assert ALEXNET.shapes(227, 227)["pool5"] == (256, 6, 6)


def filters(shapes):
    return {layer: parameters["W"] for layer, parameters in shapes.items()}


def test_filters_of_alexnet_see_half_the_channels_in_groups():
    assert filters(ALEXNET.parameter_shapes()) == {
        "conv1": (96, 3, 11, 11),
        "conv2": (256, 48, 5, 5),
        "conv3": (384, 256, 3, 3),
        "conv4": (384, 192, 3, 3),
        "conv5": (256, 192, 3, 3),
        "fc6": (4096, 9216),
        "fc7": (4096, 4096),
        "fc8": (1000, 4096),
    }


@pytest.mark.parametrize(
    ("network", "channels"),
    [
        (VGG16, "64 64, 128 128, 256 256 256, 512 512 512, 512 512 512"),
        (VGG19, "64 64, 128 128, 256 256 256 256, 512 512 512 512, 512 512 512 512"),
        (ILLUST2VEC, "64, 128, 256 256, 512 512, 512 512, 1024 1024 1024 1539"),
    ],
    ids=["vgg16", "vgg19", "illust2vec"],
)
def test_filters_of_networks_of_three_by_three(network, channels):
    """Configurations D and E of VGG; A with further convolutions on top."""
    expected, below = {}, 3
    for block, depths in enumerate(channels.split(", "), 1):
        for i, depth in enumerate(map(int, depths.split()), 1):
            expected[f"conv{block}_{i}"] = (depth, below, 3, 3)
            below = depth
    if network is not ILLUST2VEC:
        expected |= {"fc6": (4096, 25088), "fc7": (4096, 4096), "fc8": (1000, 4096)}
    assert filters(network.parameter_shapes()) == expected


# The paper's table 1: channels below, and of each layer.
INCEPTION = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


def test_filters_of_googlenet():
    expected = {
        "conv1/7x7_s2": (64, 3, 7, 7),
        "conv2/3x3_reduce": (64, 64, 1, 1),
        "conv2/3x3": (192, 64, 3, 3),
    }
    for name, (below, one, r3, three, r5, five, proj) in INCEPTION.items():
        expected |= {
            f"inception_{name}/1x1": (one, below, 1, 1),
            f"inception_{name}/3x3_reduce": (r3, below, 1, 1),
            f"inception_{name}/3x3": (three, r3, 3, 3),
            f"inception_{name}/5x5_reduce": (r5, below, 1, 1),
            f"inception_{name}/5x5": (five, r5, 5, 5),
            f"inception_{name}/pool_proj": (proj, below, 1, 1),
        }
    expected["loss3/classifier"] = (1000, 1024)
    found = GOOGLENET.parameter_shapes()
    assert filters(found) == expected
    assert all(layer["b"] == layer["W"][:1] for layer in found.values())


def test_googlenet_is_a_graph_of_branches():
    four = tuple(f"inception_4b/{n}" for n in ("1x1", "3x3", "5x5", "pool_proj"))
    assert GOOGLENET["inception_4b/output"].inputs == four
    below = "inception_4a/relu_output"
    reading = [node.name for node in GOOGLENET.nodes if below in node.inputs]
    assert reading == [
        f"inception_4b/{n}" for n in ("1x1", "3x3_reduce", "5x5_reduce", "pool")
    ]
    part = GOOGLENET.upto("inception_3a/5x5")
    names = [node.name for node in part.nodes if "3a" in node.name]
    assert names == [
        f"inception_3a/{n}" for n in ("5x5_reduce", "relu_5x5_reduce", "5x5")
    ]


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
        (ALEXNET, "conv5", 163, 16),
        # 7, +4 of pool1, +8 of conv2's 3x3: 19; +8 of pool2: 27, stride 8; through
        # the 5x5 branches of 3a and 3b +32 each, whatever the others see.
        (GOOGLENET, "conv2/3x3", 19, 4),
        (GOOGLENET, "inception_3a/1x1", 27, 8),
        (GOOGLENET, "inception_3a/output", 59, 8),
        (GOOGLENET, "inception_3b/output", 91, 8),
        (GOOGLENET, "inception_4a/output", 171, 16),
    ],
)
def test_receptive_field(network, node, size, stride):
    field = network.receptive_field(node)
    assert (field.size, field.stride) == (size, stride)
