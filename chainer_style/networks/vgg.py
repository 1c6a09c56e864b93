"""VGG networks of the Oxford Visual Geometry Group (OxfordNet)."""

from __future__ import annotations

from chainer_style.networks.graph import Network, Tap
from chainer_style.networks.nodes import (
    Conv,
    Dropout,
    Linear,
    Node,
    Pool,
    ReLU,
    Softmax,
    sequential,
)

CHANNELS = (64, 128, 256, 512, 512)

MEAN = (103.939, 116.779, 123.68)


def _nodes(depths: tuple[int, ...]) -> tuple[Node, ...]:
    """Nodes of a VGG network with `depths[i]` convolutions in block i + 1."""
    nodes: list[Node] = []
    for block, (depth, channels) in enumerate(zip(depths, CHANNELS, strict=True), 1):
        for i in range(1, depth + 1):
            conv = Conv(f"conv{block}_{i}", channels=channels, kernel=3, pad=1)
            nodes += [conv, ReLU(f"relu{block}_{i}")]
        nodes.append(Pool(f"pool{block}", kernel=2, stride=2))
    for i, channels in ((6, 4096), (7, 4096)):
        nodes += [Linear(f"fc{i}", channels=channels), ReLU(f"relu{i}")]
        nodes.append(Dropout(f"drop{i}"))
    return sequential(*nodes, Linear("fc8", channels=1000), Softmax("prob"))


VGG16 = Network(
    name="vgg16",
    title="VGG-16",
    nodes=_nodes((2, 2, 3, 3, 3)),
    taps=(
        Tap("conv1_2", "conv1_2", content=0, style=1),
        Tap("conv2_2", "conv2_2", content=0, style=1),
        Tap("conv3_3", "conv3_3", content=1, style=1),
        Tap("conv4_3", "conv4_3", content=1, style=1),
    ),
    mean=MEAN,
    input_size=224,
    source=(
        "Simonyan and Zisserman 2014, arXiv 1409.1556, configuration D; taps and "
        "their weights: mattya/chainer-gogh 4aaa123, models.py, class VGG"
    ),
)

VGG19 = Network(
    name="vgg19",
    title="VGG-19",
    nodes=_nodes((2, 2, 4, 4, 4)),
    taps=(
        Tap("conv1_2", "conv1_2", content=0, style=1),
        Tap("conv2_2", "conv2_2", content=0, style=1),
        Tap("conv3_4", "conv3_4", content=1, style=1),
        Tap("conv4_4", "conv4_4", content=1, style=1),
    ),
    mean=MEAN,
    input_size=224,
    source=(
        "Simonyan and Zisserman 2014, arXiv 1409.1556, configuration E; taps and "
        "their weights as in VGG-16: the last convolution of each of the first four "
        "blocks"
    ),
)
