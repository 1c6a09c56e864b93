from __future__ import annotations

import chainer.functions as F
import numpy as np
import pytest
from chainer import Variable, gradient_check

from chainer_style import networks, transfer
from chainer_style.engines.base import Device
from chainer_style.engines.chainer15 import Chain15, Convolution2D, Engine15
from chainer_style.engines.define_by_run import ChainerEngine
from chainer_style.networks.nodes import Conv


@pytest.mark.parametrize(
    "node",
    [
        Conv("c", channels=4, kernel=3, pad=1),
        Conv("c", channels=2, kernel=1),
        Conv("c", channels=3, kernel=5, stride=2, pad=2),
        Conv("c", channels=2, kernel=11, stride=4),
    ],
)
def test_the_convolution_is_chainers(node):
    random = np.random.RandomState(0)
    x = random.randn(1, 3, 13, 16)
    W = random.randn(node.channels, 3, node.kernel, node.kernel)
    b = random.randn(node.channels)
    y = Convolution2D(node)(x, W, b)
    expected = F.convolution_2d(x, W, b, stride=node.stride, pad=node.pad)
    np.testing.assert_allclose(y.array, expected.array, rtol=1e-10, atol=1e-12)
    gradient_check.check_backward(
        lambda *inputs: Convolution2D(node)(*inputs),
        (x, W, b),
        random.randn(*y.shape),
        rtol=1e-4,
        atol=1e-4,
        dtype=np.float64,
    )


@pytest.mark.parametrize("model", ["vgg16", "nin"])
def test_nothing_that_is_computed_changes(model, pictures):
    posed = transfer.pose(*pictures, protocol="2016", model=model, width=70)
    engines = [kind(posed, Device()) for kind in (ChainerEngine, Engine15)]
    for _ in range(3):
        first, second = (engine.step()() for engine in engines)
        assert second.total == pytest.approx(first.total, rel=1e-4)
    np.testing.assert_allclose(engines[1].image, engines[0].image, atol=0.5)


def test_columns_maps_and_unread_layers_are_held(pictures):
    posed = transfer.pose(*pictures, protocol="2016", model="nin", width=70)
    chain = Chain15(posed.network, posed.weights.arrays)
    whole = networks.NIN.parameter_shapes()
    assert set(chain._children) == set(whole)
    assert not chain["cccp8-1024"].W.array.any()
    assert np.isnan(chain["cccp8-1024"].W.grad).all()
    nodes = [tap.node for tap in posed.network.taps]
    features = chain(Variable(posed.content), nodes)
    functions = []
    todo = [variable.creator for variable in features]
    while todo:
        function = todo.pop()
        if function is not None and function not in functions:
            functions.append(function)
            todo += [x.creator_node for x in function.inputs]
    columns = [
        f.function.col.size
        for f in functions
        if isinstance(getattr(f, "function", None), Convolution2D)
    ]
    shapes = posed.network.shapes(70, 70)
    assert sorted(columns) == sorted(
        shapes[n.inputs[0]].channels
        * n.kernel**2
        * shapes[n.name].height
        * shapes[n.name].width
        for n in posed.network.nodes
        if isinstance(n, Conv)
    )
    kept = [
        a for f in functions for a in getattr(getattr(f, "function", 0), "kept", ())
    ]
    assert len(kept) == len(posed.network.nodes) + 1


def test_gradients_of_all_weights_are_not_optional(pictures):
    with pytest.raises(ValueError, match="gradients of all weights"):
        Chain15(networks.NIN.upto_taps(), trainable=False)
