from __future__ import annotations

import numpy as np
import pytest
import reference

from chainer_style import networks
from chainer_style.weights import layerwise, natural, seeded


@pytest.mark.parametrize("name", reference.LAYERS)
def test_the_signal_neither_dies_nor_explodes(name, weights_of):
    """On pictures it has not seen, every tap keeps its scale."""
    random = np.random.RandomState(99)
    picture = natural.dead_leaves(random, 128)[0].astype(float) - 120
    arrays = weights_of(name).arrays
    for y in reference.features(reference.LAYERS[name], arrays, picture):
        rectified = name == "nin"  # NIN's taps lie behind the ReLU
        expected = layerwise.DEVIATION * (0.58 if rectified else 1)
        assert expected / 2 < y.std() < expected * 2
        assert (y.std(axis=(1, 2)) > 0).mean() > (0.5 if rectified else 0.99)


def test_same_seed_same_weights():
    network = networks.NIN.upto("relu3")
    one, two, other = (seeded.generate(network, seed) for seed in (4, 4, 5))
    for layer, arrays in one.arrays.items():
        for key, array in arrays.items():
            np.testing.assert_array_equal(array, two.arrays[layer][key])
            assert (array != other.arrays[layer][key]).any()


def test_a_part_has_the_weights_of_the_whole():
    short = seeded.generate(networks.VGG16.upto("conv1_2"))
    long = seeded.generate(networks.VGG16.upto("conv2_1"))
    for layer in short.arrays:
        np.testing.assert_allclose(
            short.arrays[layer]["W"], long.arrays[layer]["W"], rtol=1e-6
        )


@pytest.mark.parametrize("name", reference.LAYERS)
def test_shapes_and_label(name, weights_of):
    weights = weights_of(name)
    found = {
        layer: {key: array.shape for key, array in arrays.items()}
        for layer, arrays in weights.arrays.items()
    }
    assert found == networks.get(name).upto_taps().parameter_shapes()
    assert weights.label == "seeded (untrained) weights"
    assert weights.as_record()["seed"] == 0
    assert all(
        array.dtype == np.float32
        for a in weights.arrays.values()
        for array in a.values()
    )


def test_dead_leaves_look_natural():
    """Power falls as 1/f² or so, and colours go together."""
    random = np.random.RandomState(0)
    pictures = np.concatenate([natural.dead_leaves(random, 128) for _ in range(4)])
    assert pictures.min() >= 0
    assert pictures.max() <= 255
    grey = pictures.mean(axis=1)
    grey = grey - grey.mean(axis=(1, 2), keepdims=True)
    window = np.hanning(128)
    power = abs(np.fft.fft2(grey * np.outer(window, window))) ** 2
    frequency = np.hypot(*np.meshgrid(*2 * [np.fft.fftfreq(128)]))
    band = (frequency > 0.03) & (frequency < 0.3)
    slope = np.polyfit(np.log(frequency[band]), np.log(power.mean(0)[band]), 1)[0]
    assert -3.2 < slope < -1.5
    correlation = np.corrcoef(pictures.transpose(1, 0, 2, 3).reshape(3, -1))
    assert correlation[0, 2] > 0.5
