from __future__ import annotations

import chainer
import numpy as np
import pytest
import reference
from chainer import gradient_check
from hypothesis import given, settings
from hypothesis import strategies as st

from chainer_style import links, networks
from chainer_style.networks.nodes import Node, Pool, Shape


@pytest.mark.parametrize("name", ["vgg16", "nin"])
def test_parameters_carry_the_caffe_names(name, weights_of):
    weights = weights_of(name)
    network = networks.get(name).upto_taps()
    chain = links.NetworkChain(network, weights.arrays)
    found = {path: p.array for path, p in chain.namedparams()}
    assert set(found) == {
        f"/{layer}/{key}" for layer, a in weights.arrays.items() for key in a
    }
    for layer, arrays in weights.arrays.items():
        np.testing.assert_array_equal(chain[layer].W.array, arrays["W"])
        np.testing.assert_array_equal(chain[layer].b.array, arrays["b"])


def test_weights_can_be_saved_and_loaded_by_chainer(tmp_path, weights_of):
    network = networks.NIN.upto_taps()
    chain = links.NetworkChain(network, weights_of("nin").arrays)
    chainer.serializers.save_hdf5(tmp_path / "nin.h5", chain)
    other = links.NetworkChain(network)
    chainer.serializers.load_hdf5(tmp_path / "nin.h5", other)
    for one, two in zip(chain.params(), other.params(), strict=True):
        np.testing.assert_array_equal(one.array, two.array)


@pytest.mark.parametrize(
    ("name", "height", "width"), [("vgg16", 19, 24), ("nin", 70, 67)]
)
def test_features_equal_the_numpy_reference(name, height, width, weights_of, random):
    weights = weights_of(name)
    network = networks.get(name).with_pooling("average", "floor").upto_taps()
    chain = links.NetworkChain(network, weights.arrays, trainable=False)
    image = random.uniform(-120, 136, (1, 3, height, width)).astype(np.float32)
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        found = chain(image, [tap.node for tap in network.taps])
    expected = reference.features(
        reference.LAYERS[name], weights.arrays, image[0].astype(float)
    )
    for one, two in zip(found, expected, strict=True):
        error = np.linalg.norm(one.array[0] - two) / np.linalg.norm(two)
        assert error < 1e-5


def test_only_trainable_chains_get_gradients_of_the_filters(weights_of):
    network = networks.NIN.upto("relu0")
    arrays = weights_of("nin").arrays
    for trainable in (True, False):
        chain = links.NetworkChain(network, arrays, trainable=trainable)
        chain.cleargrads()  # they start as NaN, in 2015 as today
        x = chainer.Variable(np.ones((1, 3, 67, 67), np.float32))
        (y,) = chain(x, ["relu0"])
        y.grad = np.ones_like(y.array)
        y.backward()
        assert x.grad is not None
        assert (chain.conv1.W.grad is not None) == trainable


def test_whole_vgg16_runs_to_its_classes():
    small = networks.VGG16.upto("relu1_1")
    chain = links.NetworkChain(small)
    assert chain.conv1_1.W.shape == (64, 3, 3, 3)


@pytest.mark.slow
def test_the_whole_networks_run():
    for chain in (links.VGG16(), links.NIN()):
        image = np.zeros((1, 3, 224, 224), np.float32)
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            (classes,) = chain(image, ["prob"])
        assert classes.shape[:2] == (1, 1000)
        np.testing.assert_allclose(classes.array.sum(), 1, rtol=1e-5)


def pool_by_loops(x, node: Pool):
    """Pooling as Caffe's pooling_layer.cpp describes it, one window at a time."""
    channels, rows, columns = x.shape
    _, height, width = node.output_shape([Shape(*x.shape)])
    out = np.empty((channels, height, width))
    for i in range(height):
        for j in range(width):
            top, left = i * node.stride - node.pad, j * node.stride - node.pad
            bottom = min(top + node.kernel, rows + node.pad)
            right = min(left + node.kernel, columns + node.pad)
            area = (bottom - top) * (right - left)
            seen = x[:, max(top, 0) : bottom, max(left, 0) : right]
            flat = seen.reshape(channels, -1)
            out[:, i, j] = flat.max(1) if node.kind == "max" else flat.sum(1) / area
    return out


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(3, 12),
    width=st.integers(3, 12),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    pad=st.integers(0, 1),
    kind=st.sampled_from(["max", "average"]),
    rounding=st.sampled_from(["floor", "ceil"]),
)
def test_pooling_is_caffes(height, width, kernel, stride, pad, kind, rounding):
    if pad >= kernel or stride > kernel:
        return
    node = Pool("p", ("data",), kernel, stride, pad, kind, rounding)
    x = np.random.RandomState(height * width).normal(size=(1, 2, height, width))
    found = links.apply(node, chainer.Variable(x)).array[0]
    np.testing.assert_allclose(found, pool_by_loops(x[0], node), rtol=1e-12)


def test_pooling_that_overhangs_has_a_gradient():
    node = Pool("p", ("data",), 3, 2, 0, "average", "ceil")
    x = np.random.RandomState(0).normal(size=(1, 2, 6, 8))
    gradient_check.check_backward(
        lambda v: links.apply(node, v), x, np.ones((1, 2, 3, 4)), dtype="d"
    )


def test_an_unknown_node_is_refused():
    with pytest.raises(TypeError, match="no Chainer function for a node of Node"):
        links.apply(Node("n", ("data",)), np.zeros((1, 1, 1, 1)))
