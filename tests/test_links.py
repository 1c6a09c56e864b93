from __future__ import annotations

import chainer
import numpy as np
import pytest
import reference

from chainer_style import links, networks, protocols, transfer
from chainer_style.errors import UserError
from chainer_style.weights import store


@pytest.mark.parametrize("name", ["vgg16", "nin", "googlenet", "alexnet"])
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
    network = networks.GOOGLENET.upto_taps()  # with slashes in the names
    chain = links.NetworkChain(network, weights_of("googlenet").arrays)
    chainer.serializers.save_hdf5(tmp_path / "w.h5", chain)
    other = links.NetworkChain(network)
    chainer.serializers.load_hdf5(tmp_path / "w.h5", other)
    for one, two in zip(chain.params(), other.params(), strict=True):
        np.testing.assert_array_equal(one.array, two.array)


@pytest.mark.parametrize(
    ("name", "height", "width"),
    [("vgg16", 19, 24), ("nin", 70, 67), ("googlenet", 63, 40), ("alexnet", 75, 50)],
)
def test_features_equal_the_numpy_reference(name, height, width, weights_of, random):
    weights = weights_of(name)
    protocol = protocols.get("2016").with_options(model=name)
    network = transfer.network_for(protocol)
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


def test_a_chain_of_converted_weights(tmp_path, weights_of):
    weights = weights_of("nin")
    store.save(weights, tmp_path / "nin.h5")
    chain = links.NIN(str(tmp_path / "nin.h5"))
    np.testing.assert_array_equal(
        chain["conv4-1024"].W.array, weights.arrays["conv4-1024"]["W"]
    )
    with pytest.raises(UserError, match="cccp7-1024 is missing"):
        links.NIN(str(tmp_path / "nin.h5"), whole=True)


def test_a_chain_to_train_from_scratch():
    chain = links.NIN()
    assert chain.conv1.W.shape == (96, 3, 11, 11)
    assert chain.conv1.W.array.std() > 0


def test_filters_in_groups_are_initialised_for_what_they_see():
    chain = links.AlexNet()
    assert chain.conv4.W.shape == (384, 192, 3, 3)
    assert chain.conv4.groups == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "declared",
    [
        links.VGG16,
        links.VGG19,
        links.NIN,
        links.GoogLeNet,
        links.Illust2Vec,
        links.AlexNet,
    ],
)
def test_the_whole_networks_run(declared):
    chain = declared(whole=True)
    size = chain.network.input_size
    image = np.zeros((1, 3, size, size), np.float32)
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        (classes,) = chain(image, ["prob"])
    if declared is links.Illust2Vec:  # tags, each with a probability of its own
        assert classes.shape == (1, 1539, 1, 1)
        np.testing.assert_allclose(classes.array, 0.5, atol=1e-6)
    else:
        assert classes.shape[:2] == (1, 1000)
        np.testing.assert_allclose(classes.array.sum(), 1, rtol=1e-5)
