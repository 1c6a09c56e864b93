"""The small network, declared as those of the package are."""

from __future__ import annotations

from chainer_style.digits.folder import CLASSES
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Linear, Pool, ReLU, Softmax, sequential

SCORES = "dense2"
"""Node whose outputs are the scores of the ten classes, before softmax."""


def small_cnn(side: int) -> Network:
    """Return the network for square pictures of a side of so many pixels.

    Two convolutions, one maximum pooling, two fully connected layers. The widths are
    those of Keras' own example of that time, ``mnist_cnn.py``, without its dropout.
    """
    return Network(
        name="small_cnn",
        title="Conv-Conv-Pool-Dense",
        nodes=sequential(
            Conv("conv1", channels=32, kernel=3),
            ReLU("relu1"),
            Conv("conv2", channels=64, kernel=3),
            ReLU("relu2"),
            Pool("pool", kernel=2, stride=2, rounding="floor"),
            Linear("dense1", channels=128),
            ReLU("relu3"),
            Linear(SCORES, channels=CLASSES),
            Softmax("probabilities"),
        ),
        taps=(),
        mean=(0, 0, 0),
        input_size=side,
        source="widths: keras-team/keras 0567688, examples/mnist_cnn.py",
        channels=1,
    )


def training_flops(network: Network) -> int:
    """Floating-point operations to learn from one picture, forwards and backwards.

    Backwards, each layer costs its forward pass twice: for the gradient of its
    filters, and for that of its input, which the first layer does not need.
    """
    side = network.input_size
    first = network.upto(network.nodes[0].name)
    assert first.nodes[0].inputs == (INPUT,)
    return 3 * network.flops(side, side) - first.flops(side, side)
