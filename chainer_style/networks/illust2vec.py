"""Illustration2Vec, the network for tags, version 2.00: trained on illustrations."""

from __future__ import annotations

from chainer_style.networks.graph import Network, Tap
from chainer_style.networks.nodes import (
    Conv,
    Dropout,
    Node,
    Pool,
    ReLU,
    Sigmoid,
    sequential,
)

BLOCKS = ((64,), (128,), (256, 256), (512, 512), (512, 512), (1024, 1024, 1024))
"""Channels of the rectified convolutions, block by block."""

TAGS = 1539


def _nodes() -> tuple[Node, ...]:
    nodes: list[Node] = []
    for block, depths in enumerate(BLOCKS, 1):
        if block > 1:
            nodes.append(Pool(f"pool{block - 1}", kernel=2, stride=2))
        for i, channels in enumerate(depths, 1):
            conv = Conv(f"conv{block}_{i}", channels=channels, kernel=3, pad=1)
            nodes += [conv, ReLU(f"relu{block}_{i}")]
    return sequential(
        *nodes,
        Dropout("drop6_3"),
        Conv("conv6_4", channels=TAGS, kernel=3, pad=1),
        Pool("pool6", kernel=7, stride=1, kind="average"),
        Sigmoid("prob"),
    )


ILLUST2VEC = Network(
    name="illust2vec",
    title="Illustration2Vec",
    nodes=_nodes(),
    taps=(
        Tap("conv1_1", "conv1_1", content=0, style=0.1),
        Tap("conv2_1", "conv2_1", content=0, style=1),
        Tap("conv3_2", "conv3_2", content=0, style=1),
        Tap("conv4_2", "conv4_2", content=1, style=10),
        Tap("conv5_2", "conv5_2", content=10, style=100),
        Tap("conv6_4", "conv6_4", content=100, style=1000),
    ),
    mean=(164.76139251, 167.47864617, 181.13838569),
    input_size=224,
    source=(
        "Saito and Matsui 2015, SIGGRAPH Asia Technical Briefs; "
        "rezoo/illustration2vec, release v2.0.0; mean: its i2v/chainer_i2v.py; taps "
        "and their weights: mattya/chainer-gogh 4aaa123, models.py, class I2V"
    ),
)
