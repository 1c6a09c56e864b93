from __future__ import annotations

import numpy as np
import pytest
import reference

from chainer_style import files, networks, weights
from chainer_style.errors import UserError
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv
from chainer_style.weights import layerwise, natural, selftaught


@pytest.fixture(scope="module")
def two_pictures():
    """A large and a small one, of other shapes."""
    random = np.random.RandomState(5)
    picture = natural.dead_leaves(random, 96) - 120
    return picture, picture[:, ::-1, :70, :81]


def part(name, node):
    network = networks.get(name).with_pooling("average", "floor")
    return network.upto(node)


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("vgg16", "relu3_1"),
        ("nin", "relu5"),
        ("vgg16", "conv1_1"),
        ("alexnet", "conv2"),
        ("googlenet", "inception_3a/output"),
    ],
)
def test_every_layer_is_learned_and_normalised(name, node, two_pictures):
    network = part(name, node)
    learned = selftaught.learn(network, two_pictures)
    found = {
        layer: {key: array.shape for key, array in arrays.items()}
        for layer, arrays in learned.arrays.items()
    }
    assert found == network.parameter_shapes()
    assert all(x["W"].flags.c_contiguous for x in learned.arrays.values())
    first = next(iter(learned.arrays))
    stride, pad = {"vgg16": (1, 1), "googlenet": (2, 3)}.get(name, (4, 0))
    W, b = reference.parameters(learned.arrays, first)
    responses = np.concatenate(
        [
            reference.conv(x[0].astype(float), W, b, stride, pad).reshape(len(W), -1)
            for x in two_pictures
        ],
        axis=1,
    )
    np.testing.assert_allclose(responses.mean(axis=1), 0, atol=0.05)
    wanted = layerwise.SHALLOW_DEVIATION if network.taps else layerwise.DEVIATION
    np.testing.assert_allclose(responses.std(axis=1), wanted, rtol=0.01)


def test_same_pictures_and_seed_same_weights(two_pictures):
    network = part("vgg16", "conv2_1")
    one, two, other = (selftaught.learn(network, two_pictures, s) for s in (3, 3, 4))
    for layer, arrays in one.arrays.items():
        np.testing.assert_array_equal(arrays["W"], two.arrays[layer]["W"])
        assert (arrays["W"] != other.arrays[layer]["W"]).any()
    assert one.label == "self-taught weights (no labels, learned from these pictures)"
    turned = selftaught.learn(network, two_pictures[::-1], 3)
    assert turned.sha256 != one.sha256


def test_a_group_learns_from_its_channels_alone(two_pictures):
    """What another group sees may change; its filters stay as they are."""
    nodes = (Conv("c", (INPUT,), channels=6, kernel=5, groups=3),)
    network = Network("n", "N", nodes, (), (0, 0, 0), 96, "test")
    picture, other = two_pictures[0], two_pictures[0].copy()
    other[:, 2] = picture[:, 2, ::-1]
    one, two = (selftaught.learn(network, [x], 3).arrays["c"] for x in (picture, other))
    assert one["W"].shape == (6, 1, 5, 5)
    for key in "Wb":
        np.testing.assert_array_equal(one[key][:4], two[key][:4])
        assert (one[key][4:] != two[key][4:]).any()


@pytest.mark.parametrize(
    ("kernel", "stride", "pad"), [(3, 1, 1), (11, 4, 0), (1, 1, 0)]
)
def test_patches_are_what_the_layer_sees(kernel, stride, pad, two_pictures):
    """The products of filter and patches are among the layer's own responses."""
    node = Conv("c", ("data",), channels=1, kernel=kernel, stride=stride, pad=pad)
    random = np.random.RandomState(0)
    patches = selftaught._patches(node, two_pictures, random)
    W = random.normal(size=(1, 3, kernel, kernel))
    products = np.sort((patches * W).sum(axis=(1, 2, 3)))
    responses = np.sort(
        np.concatenate(
            [
                reference.conv(x[0].astype(float), W, np.zeros(1), stride, pad).ravel()
                for x in two_pictures
            ]
        )
    )
    nearest = responses[
        np.searchsorted(responses, products).clip(0, len(responses) - 1)
    ]
    before = responses[(np.searchsorted(responses, products) - 1).clip(0)]
    gap = np.minimum(abs(nearest - products), abs(before - products))
    assert gap.max() < 1e-8 * abs(responses).max()
    assert len(patches) == min(len(responses), selftaught.PATCHES)


def test_clusters_find_the_directions_of_the_patches():
    random = np.random.RandomState(1)
    true = np.linalg.qr(random.normal(size=(20, 20)))[0][:6]
    chosen = random.randint(0, 6, 2000)
    sign = random.choice([-1, 1], 2000)
    noisy = sign[:, None] * true[chosen] + 0.02 * random.normal(size=(2000, 20))
    found = selftaught._clusters(
        selftaught._directions(noisy.astype(np.float32)), 24, random
    )
    assert abs(found @ true.T).max(axis=0).min() > 0.99


def test_a_picture_smaller_than_the_network_expects():
    """A handful of positions still gives finite weights."""
    tiny = np.random.RandomState(0).normal(size=(1, 3, 8, 9)).astype(np.float32)
    learned = selftaught.learn(part("vgg16", "conv4_3"), [tiny, tiny + 1])
    for arrays in learned.arrays.values():
        assert np.isfinite(arrays["W"]).all()
        assert np.isfinite(arrays["b"]).all()


def test_load_by_name(two_pictures, tmp_path, monkeypatch):
    monkeypatch.setenv(files.CACHE, str(tmp_path))
    network = part("vgg16", "conv1_2")
    seen = []

    def watch(nodes):
        for node in nodes:
            seen.append(node.name)
            yield node

    found = weights.load("self-taught:2", network, two_pictures, watch)
    assert (found.kind, found.seed) == ("self-taught", 2)
    assert seen == ["conv1_1", "relu1_1", "conv1_2"]
    with pytest.raises(UserError, match="learned from pictures"):
        weights.load("self-taught", network)
    with pytest.raises(UserError, match="expected self-taught, or self-taught:SEED"):
        weights.load("self-taught:two", network, two_pictures)
