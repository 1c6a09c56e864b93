"""Transfers of noise to noise, for tests of engines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from chainer_style import images, protocols, transfer
from chainer_style.engines.base import Device, Problem
from chainer_style.engines.define_by_run import ChainerEngine


def noise(height, width, seed):
    random = np.random.RandomState(seed)
    return random.uniform(-120, 136, (1, 3, height, width)).astype(np.float32)


def make(weights_of, name, height, width, protocol="2016", **options):
    """Return a transfer; the style is a little larger than the content."""
    chosen = protocols.get(protocol).with_options(model=name, **options)
    network = transfer.network_for(chosen)
    canvas = images.Canvas(height, width, 0, 0, images.mean_of(chosen, network))
    content, style = noise(height, width, 1), noise(height + 5, width + 2, 2)
    loaded = weights_of(name).for_network(network)
    start = noise(height, width, 3)
    return Problem(network, loaded, chosen, content, style, start, canvas)


def smooth(problem):
    """Return a problem in which no ReLU stops anything: rounding stays rounding.

    Filters are means, without biases: in small pictures with zeros all around, these
    would be all that is left. The picture is brighter than the content and the style
    than both, so that no loss is the difference of numbers that are almost the same;
    the style is larger too, and the zeros around it darken it the least. All are dark,
    or LRN would make of them what is almost the same.
    """
    arrays = {}
    for layer, own in problem.weights.arrays.items():
        filters = np.abs(own["W"])
        filters /= filters.sum(axis=(1, 2, 3), keepdims=True)
        arrays[layer] = {"W": filters, "b": np.zeros_like(own["b"])}
    return dataclasses.replace(
        problem,
        weights=dataclasses.replace(problem.weights, arrays=arrays),
        content=np.abs(problem.content) / 10,
        style=np.abs(problem.style) / 5,
        start=np.abs(problem.start) * 3 / 20,
    )


def smallest(name, protocol, **options):
    """Return the smallest extent that a network accepts, 2 at least."""
    chosen = protocols.get(protocol).with_options(model=name, **options)
    return max(2, transfer.network_for(chosen).minimum_size())


def relative(found, true):
    return np.linalg.norm(found - true) / np.linalg.norm(true)


def reference(problem):
    """Return the losses and the gradient of the reference in double precision."""
    return ChainerEngine(problem, Device(), "float64").evaluate(problem.start)


def agree(found, true, start, bound, of_gradient):
    """Hold an engine's losses and gradient against another's."""
    losses, gradient = found.evaluate(start)
    expected, wanted = true.evaluate(start)
    assert losses.total == pytest.approx(expected.total, rel=bound)
    # A single tap's Gram matrix may be of a few positions, and close to its target.
    np.testing.assert_allclose(losses.content, expected.content, rtol=10 * bound)
    np.testing.assert_allclose(losses.style, expected.style, rtol=10 * bound)
    assert losses.variation == pytest.approx(expected.variation, rel=bound)
    assert relative(gradient, wanted) < of_gradient
