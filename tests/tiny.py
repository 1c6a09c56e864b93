"""A network of every kind of node, small enough to be trained in a test."""

from __future__ import annotations

from chainer_style.networks import Network
from chainer_style.networks.benchmarks import Benchmark, Head
from chainer_style.networks.nodes import (
    LRN,
    Concat,
    Conv,
    Linear,
    Pool,
    ReLU,
    sequential,
)

SIZE, CLASSES, BATCH = 8, 5, 3

TINY = Benchmark(
    Network(
        name="tiny",
        title="Tiny",
        nodes=sequential(
            Conv("conv1", channels=4, kernel=3, pad=1),
            ReLU("relu1"),
            LRN("norm1", alpha=0.5, k=2.0),
            Pool("pool1", kernel=3, stride=2),
            Conv("left", channels=3),
            *sequential(Conv("right", channels=2, kernel=3, pad=1), start="pool1"),
            Concat("both", ("left", "right")),
            ReLU("relu2"),
            Linear("main", channels=CLASSES),
            *sequential(
                Pool("mean", kernel=2, stride=2, kind="average", rounding="floor"),
                Linear("side", channels=CLASSES),
                start="relu2",
            ),
        ),
        taps=(),
        mean=(0, 0, 0),
        input_size=SIZE,
        source="made up",
    ),
    heads=(Head("main", 1), Head("side", 0.3)),
    batch=BATCH,
)
