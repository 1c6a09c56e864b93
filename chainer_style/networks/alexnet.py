"""AlexNet, the model of Caffe's authors, bvlc_alexnet."""

from __future__ import annotations

from chainer_style.networks.graph import Network, Tap
from chainer_style.networks.nodes import (
    LRN,
    Conv,
    Dropout,
    Linear,
    Pool,
    ReLU,
    Softmax,
    sequential,
)

ALEXNET = Network(
    name="alexnet",
    title="AlexNet",
    nodes=sequential(
        Conv("conv1", channels=96, kernel=11, stride=4),
        ReLU("relu1"),
        LRN("norm1"),
        Pool("pool1", kernel=3, stride=2),
        Conv("conv2", channels=256, kernel=5, pad=2, groups=2),
        ReLU("relu2"),
        LRN("norm2"),
        Pool("pool2", kernel=3, stride=2),
        Conv("conv3", channels=384, kernel=3, pad=1),
        ReLU("relu3"),
        Conv("conv4", channels=384, kernel=3, pad=1, groups=2),
        ReLU("relu4"),
        Conv("conv5", channels=256, kernel=3, pad=1, groups=2),
        ReLU("relu5"),
        Pool("pool5", kernel=3, stride=2),
        Linear("fc6", channels=4096),
        ReLU("relu6"),
        Dropout("drop6"),
        Linear("fc7", channels=4096),
        ReLU("relu7"),
        Dropout("drop7"),
        Linear("fc8", channels=1000),
        Softmax("prob"),
    ),
    taps=(
        Tap("conv1", "conv1", content=0, style=1),
        Tap("conv2", "conv2", content=0, style=1),
        Tap("conv3", "conv3", content=0, style=1),
        Tap("conv4", "conv4", content=1, style=1),
        Tap("conv5", "conv5", content=0, style=1),
    ),
    mean=(104.0, 117.0, 123.0),
    input_size=227,
    source=(
        "Krizhevsky, Sutskever and Hinton 2012; BVLC/caffe 9b89154, "
        "models/bvlc_alexnet; taps: those that fzliu/style-transfer "
        "265f7e4, style.py, reads of the similar CaffeNet"
    ),
)
