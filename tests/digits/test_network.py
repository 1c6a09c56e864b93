from __future__ import annotations

import chainer
import numpy as np
import pytest

from chainer_style import links
from chainer_style.digits.network import SCORES, small_cnn, training_flops


def test_its_arithmetic_by_hand() -> None:
    network = small_cnn(28)
    first = 2 * 26 * 26 * 32 * 9
    rest = 2 * (24 * 24 * 64 * 32 * 9 + 12 * 12 * 64 * 128 + 128 * 10)
    assert network.flops(28, 28) == first + rest
    assert training_flops(network) == 2 * first + 3 * rest


def test_its_parameters_are_those_that_keras_counts() -> None:
    """320 + 18,496 + 1,179,776 + 1,290, as ``model.summary()`` prints them."""
    counts = [
        sum(int(np.prod(shape)) for shape in shapes.values())
        for shapes in small_cnn(28).parameter_shapes().values()
    ]
    assert counts == [320, 18_496, 1_179_776, 1_290]


@pytest.mark.parametrize("side", [8, 9, 28])
def test_shapes_are_those_that_chainer_gives(side: int) -> None:
    network = small_cnn(side)
    chain = links.NetworkChain(network)
    names = [node.name for node in network.nodes]
    with chainer.no_backprop_mode():
        outputs = chain(np.zeros((2, 1, side, side), np.float32), names)
    for name, output in zip(names, outputs, strict=True):
        assert output.size == 2 * network.shapes(side, side)[name].size
    assert outputs[names.index(SCORES)].shape == (2, 10)
