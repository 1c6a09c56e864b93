"""Network in Network, the ImageNet model of Caffe's model zoo."""

from __future__ import annotations

from chainer_style.networks.graph import Network, Tap
from chainer_style.networks.nodes import (
    Conv,
    Dropout,
    Pool,
    ReLU,
    Softmax,
    sequential,
)

NIN = Network(
    name="nin",
    title="NIN",
    nodes=sequential(
        Conv("conv1", channels=96, kernel=11, stride=4),
        ReLU("relu0"),
        Conv("cccp1", channels=96),
        ReLU("relu1"),
        Conv("cccp2", channels=96),
        ReLU("relu2"),
        Pool("pool0", kernel=3, stride=2),
        Conv("conv2", channels=256, kernel=5, pad=2),
        ReLU("relu3"),
        Conv("cccp3", channels=256),
        ReLU("relu5"),
        Conv("cccp4", channels=256),
        ReLU("relu6"),
        Pool("pool2", kernel=3, stride=2),
        Conv("conv3", channels=384, kernel=3, pad=1),
        ReLU("relu7"),
        Conv("cccp5", channels=384),
        ReLU("relu8"),
        Conv("cccp6", channels=384),
        ReLU("relu9"),
        Pool("pool3", kernel=3, stride=2),
        Dropout("drop"),
        Conv("conv4-1024", channels=1024, kernel=3, pad=1),
        ReLU("relu10"),
        Conv("cccp7-1024", channels=1024),
        ReLU("relu11"),
        Conv("cccp8-1024", channels=1000),
        ReLU("relu12"),
        Pool("pool4", kernel=6, stride=1, kind="average"),
        Softmax("prob"),
    ),
    taps=(
        Tap("conv1", "relu0", content=0, style=1),
        Tap("conv2", "relu3", content=0, style=1),
        Tap("conv3", "relu7", content=1, style=1),
        Tap("conv4-1024", "relu10", content=1, style=1),
    ),
    mean=(104.0, 117.0, 123.0),
    input_size=224,
    source=(
        "Lin, Chen and Yan 2013, arXiv 1312.4400; Caffe model zoo, gist "
        "mavenlin/d802a5849de39225bcc6; taps and their weights: mattya/chainer-gogh "
        "4aaa123, models.py, class NIN"
    ),
)
