"""Which convolutions have kernels of their own."""

from __future__ import annotations

import pytest

from chainer_style.engines.cuda.first import First
from chainer_style.engines.cuda.nodes import Layers
from chainer_style.engines.cuda.steps import Units
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Dropout, ReLU

WINDOW = {"kernel": 3, "stride": 1, "pad": 1}


def first_of(*nodes, units=Units.WGMMA, side=256, channels=3):
    network = Network("n", "N", nodes, (), (0,) * channels, 8, "", channels)
    return First(network, Layers(network.shapes(side, side), 4), units)


def conv(name, source, channels=64, **window):
    return Conv(name, (source,), channels, **(WINDOW | window))


NEAR = (
    conv("one", INPUT),
    ReLU("relu", ("one",)),
    Dropout("dropout", ("relu",)),
    conv("two", "dropout"),
    conv("three", "two"),
)


def test_only_the_convolution_behind_the_first_is_by_warpgroups():
    """What others read is not rounded, and would be cut off."""
    first = first_of(*NEAR)
    assert first.node is NEAR[0]
    assert [n.name for n in NEAR if first.is_grouped(n)] == ["two"]


@pytest.mark.parametrize(
    "options", [{"units": Units.MMA}, {"side": 240}, {"side": 100}]
)
def test_no_warpgroups(options):
    first = first_of(*NEAR, **options)
    assert first.node is NEAR[0]
    assert not any(map(first.is_grouped, NEAR))


@pytest.mark.parametrize(
    ("nodes", "options"),
    [
        (NEAR, {"units": Units.NONE}),
        ((conv("one", INPUT, 96),), {}),
        ((conv("one", INPUT, kernel=5),), {}),
        ((conv("one", INPUT, stride=2),), {}),
        ((conv("one", INPUT, pad=0),), {}),
        ((conv("one", INPUT),), {"channels": 1}),
        ((conv("one", INPUT), conv("other", INPUT)), {}),
        ((ReLU("relu", (INPUT,)), conv("one", "relu")), {}),
    ],
)
def test_no_first_convolution(nodes, options):
    first = first_of(*nodes, **options)
    assert first.node is None
    assert not any(map(first.is_grouped, nodes))
