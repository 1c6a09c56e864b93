from __future__ import annotations

import pytest

from chainer_style import networks
from chainer_style.errors import UserError
from chainer_style.networks import (
    ALEXNET,
    GOOGLENET,
    ILLUST2VEC,
    NIN,
    VGG16,
    Network,
    Tap,
)
from chainer_style.networks.nodes import Conv, ReLU, sequential


def as_2016(network: Network) -> Network:
    return network.with_pooling("average", "floor").upto_taps()


def test_upto_keeps_only_what_is_needed():
    part = VGG16.upto("relu2_2")
    assert part.nodes[-1].name == "relu2_2"
    assert [tap.name for tap in part.taps] == ["conv1_2", "conv2_2"]
    assert "fc6" not in as_2016(VGG16).parameter_shapes()


def test_taps_move_behind_the_relu():
    moved = VGG16.with_taps_after_relu()
    assert [t.node for t in moved.taps] == ["relu1_2", "relu2_2", "relu3_3", "relu4_3"]
    assert NIN.with_taps_after_relu().taps == NIN.taps


def test_taps_of_modules_move_behind_their_relu():
    moved = GOOGLENET.with_taps_after_relu().upto_taps()
    assert moved.taps[0].node == "conv1/relu_7x7"
    assert moved.taps[-1].node == moved.nodes[-1].name == "inception_4b/relu_output"
    # Nothing rectifies the tags.
    assert ILLUST2VEC.with_taps_after_relu().taps[-1].node == "conv6_4"


def test_equal_taps_keep_what_counts():
    taps = GOOGLENET.with_equal_taps().taps
    assert [tap.content for tap in taps] == [0, 0, 0, 0, 1, 1]
    assert [tap.style for tap in taps] == [1] * 6
    assert VGG16.with_equal_taps() == VGG16


def test_chainers_constants_of_normalization():
    changed = ALEXNET.with_chainer_normalization()
    norm = changed["norm1"]
    assert (norm.k, norm.alpha / norm.local_size, norm.beta) == (2, 1e-4, 0.75)
    assert VGG16.with_chainer_normalization() == VGG16


def test_pooling_of_branches_keeps_their_extent():
    for rounding in ("floor", "ceil"):
        pooled = GOOGLENET.with_pooling("average", rounding)
        for size in (101, 128):
            shapes = pooled.shapes(size, size)
            assert (
                shapes["inception_3a/pool"][1:]
                == shapes["inception_3a/relu_3x3_reduce"][1:]
            )


def test_names():
    assert networks.get("i2v") is networks.get("illust2vec") is ILLUST2VEC
    assert networks.get("vgg") is networks.get("VGG16") is VGG16
    with pytest.raises(
        UserError, match=r"unknown model 'resnet'.*i2v.*nin, vgg, vgg16"
    ):
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
