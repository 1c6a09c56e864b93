"""GoogLeNet (Inception V1), the model of Caffe's authors, bvlc_googlenet."""

from __future__ import annotations

from chainer_style.networks.graph import Network, Tap
from chainer_style.networks.nodes import (
    LRN,
    Concat,
    Conv,
    Dropout,
    Linear,
    Node,
    Pool,
    ReLU,
    Softmax,
    sequential,
)


def _inception(module: str, below: str, *channels: int) -> tuple[Node, ...]:
    """Nodes of an inception module.

    Caffe rectifies each of the four branches and then joins them. Here they are
    joined first, which is the same; the 2016 code does so too, because it reads
    the joined features before they are rectified.

    Parameters
    ----------
    module
        What the paper calls it, such as ``3a``.
    below
        The node that it reads.
    *channels
        Channels of 1x1, 3x3_reduce, 3x3, 5x5_reduce, 5x5 and pool_proj, as in the
        columns of the paper's table 1.
    """
    name = f"inception_{module}"
    one, reduce_three, three, reduce_five, five, projected = channels

    def conv(layer: str, channels: int, kernel: int = 1) -> Conv:
        pad = kernel // 2
        return Conv(f"{name}/{layer}", channels=channels, kernel=kernel, pad=pad)

    branches = (
        (conv("1x1", one),),
        (
            conv("3x3_reduce", reduce_three),
            ReLU(f"{name}/relu_3x3_reduce"),
            conv("3x3", three, kernel=3),
        ),
        (
            conv("5x5_reduce", reduce_five),
            ReLU(f"{name}/relu_5x5_reduce"),
            conv("5x5", five, kernel=5),
        ),
        (
            Pool(f"{name}/pool", kernel=3, stride=1, pad=1),
            conv("pool_proj", projected),
        ),
    )
    ends = tuple(branch[-1].name for branch in branches)
    return sequential(
        *(node for branch in branches for node in sequential(*branch, start=below)),
        Concat(f"{name}/output", ends),
        ReLU(f"{name}/relu_output"),
    )


GOOGLENET = Network(
    name="googlenet",
    title="GoogLeNet",
    nodes=sequential(
        Conv("conv1/7x7_s2", channels=64, kernel=7, stride=2, pad=3),
        ReLU("conv1/relu_7x7"),
        Pool("pool1/3x3_s2", kernel=3, stride=2),
        LRN("pool1/norm1"),
        Conv("conv2/3x3_reduce", channels=64),
        ReLU("conv2/relu_3x3_reduce"),
        Conv("conv2/3x3", channels=192, kernel=3, pad=1),
        ReLU("conv2/relu_3x3"),
        LRN("conv2/norm2"),
        Pool("pool2/3x3_s2", kernel=3, stride=2),
        *_inception("3a", "pool2/3x3_s2", 64, 96, 128, 16, 32, 32),
        *_inception("3b", "inception_3a/relu_output", 128, 128, 192, 32, 96, 64),
        Pool("pool3/3x3_s2", kernel=3, stride=2),
        *_inception("4a", "pool3/3x3_s2", 192, 96, 208, 16, 48, 64),
        *_inception("4b", "inception_4a/relu_output", 160, 112, 224, 24, 64, 64),
        *_inception("4c", "inception_4b/relu_output", 128, 128, 256, 24, 64, 64),
        *_inception("4d", "inception_4c/relu_output", 112, 144, 288, 32, 64, 64),
        *_inception("4e", "inception_4d/relu_output", 256, 160, 320, 32, 128, 128),
        Pool("pool4/3x3_s2", kernel=3, stride=2),
        *_inception("5a", "pool4/3x3_s2", 256, 160, 320, 32, 128, 128),
        *_inception("5b", "inception_5a/relu_output", 384, 192, 384, 48, 128, 128),
        Pool("pool5/7x7_s1", kernel=7, stride=1, kind="average"),
        Dropout("pool5/drop_7x7_s1", ratio=0.4),
        Linear("loss3/classifier", channels=1000),
        Softmax("prob"),
    ),
    taps=(
        Tap("conv1", "conv1/7x7_s2", content=0, style=5e-5),
        Tap("conv2", "conv2/3x3", content=0, style=5),
        Tap("inception_3a", "inception_3a/output", content=0, style=50),
        Tap("inception_3b", "inception_3b/output", content=0, style=50),
        Tap("inception_4a", "inception_4a/output", content=1, style=5000),
        Tap("inception_4b", "inception_4b/output", content=10, style=500000),
    ),
    mean=(104.0, 117.0, 123.0),
    input_size=224,
    source=(
        "Szegedy and others 2014, arXiv 1409.4842; BVLC/caffe 9b89154, "
        "models/bvlc_googlenet; taps and their weights: mattya/chainer-gogh 4aaa123, "
        "models.py, class GoogLeNet"
    ),
    unread=("loss1", "loss2"),
)
