from __future__ import annotations

import pytest

from chainer_style import networks
from chainer_style.footprint import Footprint
from chainer_style.networks import Network, Tap
from chainer_style.networks.nodes import Conv, Pool, ReLU, sequential
from chainer_style.protocols import Protocol
from chainer_style.transfer import network_for

MIB = 2**20

VGG = network_for(Protocol(model="vgg16"))


def counted(size):
    """VGG-16 without cuDNN in 2016, at the least; written out from its layers.

    The weights of the whole file with their gradients, and the feature maps and
    columns of two iterations.
    """
    shape, maps, columns = 3, 0, 0
    blocks = [(2, 64), (2, 128), (3, 256), (3, 512)]
    for i, (depth, channels) in enumerate(blocks):
        pixels = (size >> i) ** 2
        for _ in range(depth):
            columns += 9 * shape * pixels
            maps += 2 * channels * pixels
            shape = channels
        if i < 3:
            maps += channels * pixels // 4
    maps -= 512 * (size >> 3) ** 2  # no ReLU behind the last tap
    return 4 * (2 * 138_357_544 + 2 * (maps + columns))


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_of_1_5_it_is_the_known_count_and_a_little_more(size):
    found = Footprint(VGG, size, as_1_5=True)
    assert counted(size) < found.peak_bytes() < 1.05 * counted(size) + 40 * MIB


def test_what_fits_the_paper_s_card():
    assert Footprint(VGG, 256, as_1_5=True).peak_bytes() < 4096 * MIB
    assert Footprint(VGG, 512, as_1_5=True).peak_bytes() > 4096 * MIB
    assert Footprint(VGG, 256, as_1_5=True).peak_bytes() > 2048 * MIB


def test_a_network_small_enough_to_count():
    network = Network(
        name="vgg16",
        title="Two layers",
        nodes=sequential(
            Conv("a", channels=4, kernel=3, pad=1),
            ReLU("ra"),
            Pool("p", kind="average", rounding="floor"),
            Conv("b", channels=2, kernel=1),
        ),
        taps=(Tap("b", "b", content=1, style=1),),
        mean=(0, 0, 0),
        input_size=8,
        source="",
    )
    found = Footprint(network, 8)
    weights = 3 * (4 * 3 * 9 + 4 + 2 * 4 + 2)
    assert found.steady() == weights + 2 * 16 + 2 * 2 + 8 * 3 * 64
    # The ReLU's output, the pool's, the tap's.
    assert found.graph() == 4 * 64 + 4 * 16 + 2 * 16
    # At the first convolution: three gradients of its output, that of its input,
    # its columns and its padded input.
    backward = 3 * 4 * 64 + 3 * 64 + 27 * 64 + 3 * 100
    assert found.peak_bytes() == 4 * (found.steady() + found.graph() + backward)


@pytest.mark.parametrize("name", networks.NETWORKS)
@pytest.mark.parametrize("as_1_5", [False, True])
def test_it_grows_with_the_picture(name, as_1_5):
    network = network_for(Protocol(model=name))
    sizes = [Footprint(network, s, as_1_5=as_1_5).peak_bytes() for s in (128, 256, 512)]
    assert sizes == sorted(sizes)
