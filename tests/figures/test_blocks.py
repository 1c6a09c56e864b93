from __future__ import annotations

import pytest

from chainer_style import networks, protocols, transfer
from chainer_style.figures.blocks import blocks
from chainer_style.networks import NETWORKS
from chainer_style.networks.nodes import Concat, Conv, Pool

EVERY = pytest.mark.parametrize("name", NETWORKS)


def graph(name):
    return transfer.network_for(protocols.get("2016").with_options(model=name))


@EVERY
def test_every_node_is_in_one_box_and_in_order(name):
    network = graph(name)
    chain = blocks(network, 128, 96)
    inside = [node for block in chain[1:] for node in block.nodes]
    assert sorted(inside) == sorted(node.name for node in network.nodes)
    ends = [inside.index(block.nodes[-1]) for block in chain[1:]]
    assert ends == sorted(ends)
    taps = [tap for block in chain for tap in block.taps]
    assert tuple(taps) == network.taps


@EVERY
def test_shapes_are_those_of_the_graph(name):
    network = graph(name)
    shapes = network.shapes(128, 96)
    for block in blocks(network, 128, 96):
        assert block.shape == shapes[block.nodes[-1]]
        assert sum(block.branches) == block.shape.channels


@pytest.mark.parametrize("name", ["vgg16", "vgg19", "nin", "alexnet", "illust2vec"])
def test_a_plain_network_has_a_box_for_each_layer(name):
    network = graph(name)
    layers = [n.name for n in network.nodes if isinstance(n, Conv | Pool)]
    assert [block.name for block in blocks(network, 128, 128)] == ["data", *layers]


def test_an_inception_module_is_one_box():
    """Channels of the branches: table 1 of Szegedy and others 2014."""
    chain = {block.name: block for block in blocks(graph("googlenet"), 128, 128)}
    assert chain["inception_3a"].branches == (64, 128, 32, 32)
    assert chain["inception_4b"].branches == (160, 224, 64, 64)
    modules = [n for n in networks.GOOGLENET.nodes if isinstance(n, Concat)]
    whole = blocks(networks.GOOGLENET, 224, 224)
    assert sum(block.kind == "branches" for block in whole) == len(modules) == 9
    assert whole[-1].shape == (1000, 1, 1)


def test_windows_are_written_with_their_step():
    chain = {block.name: block.window for block in blocks(graph("nin"), 128, 128)}
    assert chain["conv1"] == "11×11 / 4"
    assert chain["cccp1"] == "1×1"
    assert chain["pool0"] == "3×3 / 2"
