from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from chainer_style.errors import UserError
from chainer_style.networks import Network
from chainer_style.weights.collection import Weights, compare


@pytest.fixture
def weights(network: Network, arrays) -> Weights:
    return Weights("tiny", "trained", arrays, "m.caffemodel", "ab" * 32)


def test_for_network_keeps_what_is_needed(network: Network, weights: Weights) -> None:
    part = network.upto_taps()
    cut = weights.for_network(part)
    assert {
        layer: {key: array.shape for key, array in parameters.items()}
        for layer, parameters in cut.arrays.items()
    } == part.parameter_shapes()
    assert dataclasses.replace(cut, arrays=weights.arrays) == weights


def test_for_network_takes_old_caffe_shapes_and_doubles(network, weights) -> None:
    old = {
        layer: {
            key: array.astype(np.float64).reshape((1,) * (4 - array.ndim) + array.shape)
            for key, array in parameters.items()
        }
        for layer, parameters in weights.arrays.items()
    }
    new = dataclasses.replace(weights, arrays=old).for_network(network)
    for layer, parameters in new.arrays.items():
        for key, array in parameters.items():
            assert array.dtype == np.float32
            assert array.shape == weights.arrays[layer][key].shape
            np.testing.assert_array_equal(array, weights.arrays[layer][key])


def test_for_network_lists_the_differences(network: Network, weights: Weights) -> None:
    empty = dataclasses.replace(weights, arrays={})
    with pytest.raises(UserError) as caught:
        empty.for_network(network)
    assert str(caught.value) == (
        "m.caffemodel does not hold the weights of Tiny: layer conv1/3x3_s2 is "
        "missing; layer mixed/1x1 is missing; layer fc is missing"
    )


def test_for_network_does_not_list_them_all(network: Network) -> None:
    arrays = {
        layer: {key: np.zeros(()) for key in "Wb"}
        for layer in network.parameter_shapes()
    }
    with pytest.raises(UserError, match=r"\(and 3 more\)$"):
        Weights("tiny", "seeded", arrays, "s").for_network(network)


@pytest.mark.parametrize(
    ("found", "difference"),
    [
        ({}, ["layer a is missing"]),
        ({"a": {}}, ["a has no weights", "a has no bias"]),
        ({"a": {"W": (2, 3), "b": (2,)}}, []),
        ({"a": {"W": (1, 1, 2, 3), "b": (1, 1, 1, 2)}}, []),
        ({"a": {"W": (3, 2), "b": (2,)}}, ["a/W has shape 3×2, not 2×3"]),
        ({"a": {"W": (2, 3, 1), "b": (2,)}}, ["a/W has shape 2×3×1, not 2×3"]),
        ({"a": {"W": (2, 3), "b": ()}}, ["a/b has shape scalar, not 2"]),
        ({"a": {"W": (2, 3), "b": (2,)}, "more": {"W": (9,)}}, []),
    ],
)
def test_compare(found, difference: list[str]) -> None:
    arrays = {
        layer: {key: np.zeros(shape) for key, shape in parameters.items()}
        for layer, parameters in found.items()
    }
    assert list(compare({"a": {"W": (2, 3), "b": (2,)}}, arrays)) == difference


def test_a_single_output_channel_matches_in_both_forms() -> None:
    arrays = {"a": {"W": np.zeros((1, 1, 1, 5)), "b": np.zeros(1)}}
    assert list(compare({"a": {"W": (1, 5), "b": (1,)}}, arrays)) == []


@pytest.mark.parametrize(
    ("kind", "label"),
    [("trained", "trained weights"), ("seeded", "seeded (untrained) weights")],
)
def test_record_says_where_they_come_from(kind, label: str) -> None:
    record = Weights("tiny", kind, {}, "s", seed=5).as_record()
    assert json.loads(json.dumps(record)) == {
        "network": "tiny",
        "kind": kind,
        "label": label,
        "source": "s",
        "sha256": None,
        "seed": 5,
    }
