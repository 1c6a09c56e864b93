"""The networks of Table 1 are those that the benchmark trained."""

from __future__ import annotations

import itertools
import math

import chainer
import numpy as np
import pytest

from chainer_style import links
from chainer_style.networks import NETWORKS
from chainer_style.networks.benchmarks import (
    ALEXNET_OWT,
    BENCHMARKS,
    GOOGLENET_V1,
    OVERFEAT,
    VGG_A,
)
from chainer_style.networks.nodes import LRN, Dropout

# torchvision's alexnet and vgg11; the publication's 145 million; bvlc_googlenet whole.
PARAMETERS = {
    "alexnet_owt": 61_100_840,
    "overfeat": 145_920_872,
    "vgg_a": 132_863_336,
    "googlenet_v1": 13_378_280,
}


@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_number_of_parameters(name, count):
    shapes = itertools.chain.from_iterable(
        layer.values() for layer in BENCHMARKS[name].network.parameter_shapes().values()
    )
    assert sum(map(math.prod, shapes)) == count


# The inputs that the scripts gave their first fully connected layers.
@pytest.mark.parametrize(
    ("trained", "layer", "shape"),
    [
        (ALEXNET_OWT, "fc6", (4096, 256 * 6 * 6)),
        (OVERFEAT, "fc6", (3072, 1024 * 6 * 6)),
        (VGG_A, "fc6", (4096, 512 * 7 * 7)),
        (GOOGLENET_V1, "loss3/classifier", (1000, 1024)),
        (GOOGLENET_V1, "loss1/fc", (1024, 4 * 4 * 128)),
        (GOOGLENET_V1, "loss2/fc", (1024, 4 * 4 * 128)),
    ],
)
def test_what_the_classifiers_read(trained, layer, shape):
    assert trained.network.parameter_shapes()[layer]["W"] == shape


def test_none_can_be_chosen_to_paint_with():
    assert not BENCHMARKS.keys() & NETWORKS.keys()
    assert not any(benchmark.network.taps for benchmark in BENCHMARKS.values())


def test_googlenet_is_normalised_and_thinned_out_as_the_script_does():
    nodes = GOOGLENET_V1.network.nodes
    norms = [node for node in nodes if isinstance(node, LRN)]
    assert [(n.local_size, n.k, n.beta) for n in norms] == 2 * [(5, 2.0, 0.75)]
    assert [n.alpha / n.local_size for n in norms] == pytest.approx([1e-4, 1e-4])
    assert [n.ratio for n in nodes if isinstance(n, Dropout)] == [0.4]
    for benchmark in (ALEXNET_OWT, OVERFEAT, VGG_A):
        kinds = {type(node) for node in benchmark.network.nodes}
        assert not kinds & {Dropout, LRN}


def test_arithmetic_of_the_vgg_is_the_known_one():
    """7.6 thousand million multiply-adds forward, the usual figure for VGG-11."""
    assert VGG_A.training_flops() / 6 == pytest.approx(7.61e9, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_chainers_shapes_are_the_declared_ones(name):
    benchmark = BENCHMARKS[name]
    network, size = benchmark.network, benchmark.network.input_size
    nodes = [node.name for node in network.nodes]
    chain = links.NetworkChain(network)
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        found = chain(np.zeros((2, 3, size, size), np.float32), nodes)
    shapes = network.shapes(size, size)
    for node, value in zip(nodes, found, strict=True):
        expected = shapes[node] if value.ndim == 4 else shapes[node][:1]
        assert value.shape == (2, *expected), node
