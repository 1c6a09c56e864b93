"""Single convolutions by compiled kernels, against direct ones in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainer_style.engines.cpu import choice, compiled, filters, packing
from chainer_style.engines.cpu.convolving import Convolving
from chainer_style.engines.cpu.draft import Draft, Map
from chainer_style.engines.cpu.kernels import target
from chainer_style.engines.cpu.kernels.matrices import POINTS, folded, matrices
from chainer_style.engines.cpu.kernels.steps import KINDS
from chainer_style.engines.cpu.parameters import Parameters
from chainer_style.engines.cpu.plan import Plan
from chainer_style.engines.cpu.team import team
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv, Shape
from chainer_style.networks.regions import Region


def direct(x, w, node):
    """Return a convolution of (h, w, c), window by window."""
    x = np.pad(x, [(node.pad, node.pad)] * 2 + [(0, 0)]).astype(np.float64)
    height, width = ((n - node.kernel) // node.stride + 1 for n in x.shape[:2])
    y = np.zeros((height, width, node.channels))
    each, made = w.shape[1], node.channels // node.groups
    for group in range(node.groups):
        part = w[group * made : (group + 1) * made].astype(np.float64)
        seen = x[:, :, group * each : (group + 1) * each]
        for i in range(height):
            for j in range(width):
                top, left = i * node.stride, j * node.stride
                window = seen[top : top + node.kernel, left : left + node.kernel]
                y[i, j, group * made : (group + 1) * made] = np.einsum(
                    "ijc,kcij->k", window, part
                )
    return y


def direct_back(gy, w, node, shape):
    """Return the gradient of the input, window by window."""
    height, width = shape
    gx = np.zeros(
        (height + 2 * node.pad, width + 2 * node.pad, w.shape[1] * node.groups)
    )
    each, made = w.shape[1], node.channels // node.groups
    for i in range(gy.shape[0]):
        for j in range(gy.shape[1]):
            top, left = i * node.stride, j * node.stride
            for group in range(node.groups):
                gx[
                    top : top + node.kernel,
                    left : left + node.kernel,
                    group * each : (group + 1) * each,
                ] += np.einsum(
                    "k,kcij->ijc",
                    gy[i, j, group * made : (group + 1) * made].astype(np.float64),
                    w[group * made : (group + 1) * made].astype(np.float64),
                )
    return gx[node.pad : node.pad + height, node.pad : node.pad + width]


@pytest.fixture
def fresh(monkeypatch):
    """Transform the filters of all tiles as they are used."""
    monkeypatch.setattr(choice, "is_fresh", lambda *given: True)


@pytest.fixture
def stored(monkeypatch):
    """Transform no filters as they are used."""
    monkeypatch.setattr(choice, "is_fresh", lambda *given: False)


def run(
    node, w, x, written, *, backward=False, made=None, threads=2, half=False, first=0
):
    """Return what the kernels make of a map, with the channels that count.

    Of a map that is written, positions before the first along each axis are left out.
    """
    compiled.load()
    raw = node.inputs[0] == INPUT
    height, width = (written if backward else x).shape[:2]
    channels = w.shape[1] * node.groups
    before = () if raw else (Conv("before", (INPUT,), channels=channels),)
    network = Network("n", "n", (*before, node), (), (0, 0, 0), 8, "")
    arrays = {node.name: {"W": w, "b": np.zeros(len(w), np.float32)}}
    parameters = Parameters(network, height, width, half)
    if made is not None:
        parameters._tiles = dict.fromkeys(parameters._tiles, made)
    maps = [
        Map.of(Shape(a.shape[2], *a.shape[:2]), raw=raw and here)
        for a, here in ((x, not backward), (written, backward))
    ]
    height, width = written.shape[:2]
    maps[1] = maps[1].part(Region(first, first, height, width))
    written = written[first:, first:]
    name, way = parameters.filters(node, backward)
    draft = Draft()
    draft.buffer("x", maps[0].size, kept=True)
    draft.buffer("y", maps[1].size, kept=True)
    uses = {"x": "x", "y": "y", "weights": name, "bias": "zeros"}
    uses["floor"] = "no floor"
    Convolving(node, way, *maps, backward).draft(draft, uses, threads)
    plan = Plan(draft, team(threads), parameters.make(arrays))
    filled = [(m.height, m.width, m.channels) for m in maps]
    given = plan.array("x", filled[0])
    given[:] = 0
    given[:, :, : x.shape[2]] = x
    result = plan.array("y", filled[1])
    result[:] = np.nan
    plan.run()
    assert not result[:, :, written.shape[2] :].any()
    line = next(line for line in draft.lines if line.uses.get("weights") == name)
    return KINDS[int(line.step["kind"][0])], result[:, :, : written.shape[2]].copy()


def relative(found, true):
    return np.linalg.norm(found - true) / np.linalg.norm(true)


@st.composite
def convolutions(draw):
    groups = draw(st.sampled_from([1, 1, 2]))
    kernel = draw(st.integers(1, 7))
    stride = draw(st.integers(1, 4))
    pad = draw(st.integers(0, min(3, kernel - 1)))
    raw = groups == 1 and draw(st.booleans())
    inputs = 3 if raw else groups * draw(st.sampled_from([8, 24, 32, 48]))
    outputs = groups * draw(st.sampled_from([5, 32, 48, 64]))
    source = INPUT if raw else "before"
    node = Conv("conv", (source,), outputs, kernel, stride, pad, groups)
    least = max(1, kernel - 2 * pad)
    height = draw(st.integers(least, 20))
    width = draw(st.integers(least, 20))
    return node, inputs, height, width


@settings(max_examples=40)
@given(convolutions(), st.integers(1, 3))
def test_any_convolution_and_its_gradient(given_, threads):
    node, inputs, height, width = given_
    random = np.random.RandomState(0)
    w = random.randn(node.channels, inputs // node.groups, *[node.kernel] * 2)
    w = w.astype(np.float32)
    x = random.randn(height, width, inputs).astype(np.float32)
    y = direct(x, w, node)
    _, found = run(node, w, x, y, threads=threads)
    assert relative(found, y) < 1e-5
    gy = random.randn(*y.shape).astype(np.float32)
    gx = direct_back(gy, w, node, (height, width))
    _, found = run(node, w, gy, gx, backward=True, threads=threads)
    if gx.any():
        assert relative(found, gx) < 1e-5
    else:
        assert not found.any()


BOUNDS = {2: 1e-6, 4: 4e-6, 6: 2e-5, 8: 4e-5}
"""Largest relative error of a layer in single precision, by the tile's results."""

HALF_BOUNDS = {2: 1e-2, 4: 3e-2}
"""The same in bfloat16."""


@pytest.mark.parametrize("made", BOUNDS)
@pytest.mark.parametrize("channels", [32, 256])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.usefixtures("stored")
def test_the_error_of_each_tile(made, channels, backward, random):
    """Of non-negative features, as behind a ReLU, and filters of their scale."""
    node = Conv("conv", ("before",), channels, kernel=3, pad=1)
    w = random.randn(channels, channels, 3, 3) * np.sqrt(2 / (9 * channels))
    w = w.astype(np.float32)
    x = np.maximum(random.randn(13, 11, channels), 0).astype(np.float32)
    y = direct_back(x, w, node, x.shape[:2]) if backward else direct(x, w, node)
    kind, found = run(node, w, x, y, backward=backward, made=made)
    assert kind == f"winograd{made}"
    assert 1e-8 < relative(found, y) < BOUNDS[made]


@pytest.mark.parametrize("channels", [32, 256])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.usefixtures("fresh")
def test_the_error_of_filters_transformed_as_they_are_used(channels, backward, random):
    node = Conv("conv", ("before",), channels, kernel=3, pad=1)
    w = random.randn(channels, channels, 3, 3) * np.sqrt(2 / (9 * channels))
    w = w.astype(np.float32)
    x = np.maximum(random.randn(13, 11, channels), 0).astype(np.float32)
    y = direct_back(x, w, node, x.shape[:2]) if backward else direct(x, w, node)
    kind, found = run(node, w, x, y, backward=backward, made=4)
    assert kind == "winograd4fresh"
    assert 1e-8 < relative(found, y) < BOUNDS[4]


@st.composite
def strides(draw):
    """Convolutions of the picture whose filters are 3x3 or 5x5 squares of pixels."""
    stride, extent = draw(st.integers(2, 4)), draw(st.sampled_from([3, 5]))
    kernel = stride * extent - draw(st.integers(0, stride - 1))
    pad = draw(st.integers(0, kernel - 1))
    node = Conv("conv", (INPUT,), draw(st.sampled_from([5, 96])), kernel, stride, pad)
    least = max(1, kernel - 2 * pad)
    height, width = (least + draw(st.integers(0, 20)) for _ in range(2))
    made = draw(st.sampled_from([made for made in choice.MADE[extent] if made]))
    return node, height, width, made


@settings(max_examples=60)
@given(strides(), st.integers(0, 9), st.integers(1, 3))
def test_gradients_of_the_picture_by_tiles_in_spite_of_a_stride(given_, first, threads):
    """Of any picture, and of a part of it."""
    node, height, width, made = given_
    random = np.random.RandomState(0)
    size = node.kernel, node.kernel
    w = random.randn(node.channels, 3, *size).astype(np.float32)
    _, *extent = node.output_shape([Shape(3, height, width)])
    gy = random.randn(*extent, node.channels).astype(np.float32)
    gx = direct_back(gy, w, node, (height, width))
    part = min(first, height - 1, width - 1)
    kind, found = run(
        node, w, gy, gx, backward=True, made=made, threads=threads, first=part
    )
    assert kind.startswith(f"winograd{made}")
    assert np.linalg.norm(found - gx[part:, part:]) < 4e-5 * np.linalg.norm(gx)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    height=st.integers(1, 18),
    width=st.integers(1, 18),
    inputs=st.sampled_from([5, 32, 40, 97]),
    outputs=st.sampled_from([7, 32, 65]),
    pad=st.integers(0, 2),
    threads=st.integers(1, 3),
)
@pytest.mark.usefixtures("fresh")
def test_filters_transformed_as_they_are_used(
    height, width, inputs, outputs, pad, threads
):
    """Any number of tiles, of channels, and of parts of the panels."""
    height, width = (max(n, 3 - 2 * pad) for n in (height, width))
    node = Conv("conv", ("before",), outputs, kernel=3, pad=pad)
    random = np.random.RandomState(0)
    w = random.randn(outputs, inputs, 3, 3).astype(np.float32)
    x = random.randn(height, width, inputs).astype(np.float32)
    y = direct(x, w, node)
    kind, found = run(node, w, x, y, made=4, threads=threads)
    assert kind == "winograd4fresh"
    assert relative(found, y) < 1e-5
    gy = random.randn(*y.shape).astype(np.float32)
    gx = direct_back(gy, w, node, (height, width))
    _, found = run(node, w, gy, gx, backward=True, made=4, threads=threads)
    assert relative(found, gx) < 1e-5


@settings(max_examples=40)
@given(
    height=st.integers(1, choice.TINY),
    width=st.integers(1, choice.TINY),
    inputs=st.sampled_from([5, 32, 40, 97]),
    outputs=st.sampled_from([7, 32, 65]),
    first=st.integers(0, 1),
    threads=st.integers(1, 3),
)
def test_direct_convolutions(height, width, inputs, outputs, first, threads):
    """Of any small map, of any channels, and of a part of it."""
    first = min(first, height - 1, width - 1)
    node = Conv("conv", ("before",), outputs, kernel=3, pad=1)
    random = np.random.RandomState(0)
    w = random.randn(outputs, inputs, 3, 3).astype(np.float32)
    x = random.randn(height, width, inputs).astype(np.float32)
    y = direct(x, w, node)
    kind, found = run(node, w, x, y, threads=threads, first=first)
    assert kind == "direct"
    assert relative(found, y[first:, first:]) < 1e-6
    gy = random.randn(*y.shape).astype(np.float32)
    gx = direct_back(gy, w, node, (height, width))
    kind, found = run(node, w, gy, gx, backward=True, threads=threads, first=first)
    assert kind == "direct"
    assert relative(found, gx[first:, first:]) < 1e-6


@pytest.mark.parametrize("backward", [False, True])
def test_filters_for_small_maps_convolve_larger_ones(backward, random, monkeypatch):
    """The style's picture may be larger, and is convolved by the same filters."""
    monkeypatch.setattr(choice, "is_direct", lambda *given: True)
    node = Conv("conv", ("before",), 64, kernel=3, pad=1)
    w = random.randn(64, 96, 3, 3).astype(np.float32)
    x = random.randn(13, 11, 64 if backward else 96).astype(np.float32)
    y = direct_back(x, w, node, (13, 11)) if backward else direct(x, w, node)
    kind, found = run(node, w, x, y, backward=backward, made=0)
    assert kind == "direct"
    assert relative(found, y) < 1e-6


@pytest.mark.skipif(
    not target.has_bfloat16(), reason="this CPU does not multiply bfloat16"
)
@pytest.mark.parametrize("made", HALF_BOUNDS)
@pytest.mark.parametrize("backward", [False, True])
def test_the_error_of_each_tile_in_bfloat16(made, backward, random):
    node = Conv("conv", ("before",), 96, kernel=3, pad=1)
    w = random.randn(96, 96, 3, 3).astype(np.float32)
    x = np.maximum(random.randn(13, 11, 96), 0).astype(np.float32)
    y = direct_back(x, w, node, x.shape[:2]) if backward else direct(x, w, node)
    kind, found = run(node, w, x, y, backward=backward, made=made, half=True)
    assert kind == f"winograd{made}half"
    assert 1e-3 < relative(found, y) < HALF_BOUNDS[made]


@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1))
def test_halves_are_the_nearest(values):
    """No other number of 8 bits of mantissa is nearer."""
    values = np.array(values, np.float32)
    found = (packing.halves(values).astype(np.uint32) << 16).view(np.float32)
    for neighbour in (-0x10000, 0x10000):
        other = (found.view(np.int32) + np.int32(neighbour)).view(np.float32)
        nearer = np.abs(other.astype(float) - values) < np.abs(
            found.astype(float) - values
        )
        assert not (nearer & np.isfinite(other) & (found != 0)).any()


@pytest.mark.parametrize("use", [matrices, folded])
@pytest.mark.parametrize("seen", POINTS)
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_minimal_filtering_is_exact(seen, kernel, use, random):
    if (made := seen - kernel + 1) < 1:
        pytest.skip("a tile that gives nothing")
    into, filters_, back = use(made, kernel)
    tile, weights = random.randn(seen), random.randn(kernel)
    found = back @ ((filters_ @ weights) * (into @ tile))
    true = np.convolve(tile, weights[::-1], "valid")
    np.testing.assert_allclose(found, true, atol=1e-12)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("pad", [0, 2, 4])
@pytest.mark.parametrize("made", [4, 6])
def test_tiles_of_filters_5x5(backward, pad, made, random):
    node = Conv("conv", ("before",), 64, kernel=5, pad=pad)
    w = (random.randn(64, 96, 5, 5) / 50).astype(np.float32)
    channels = 64 if backward else 96
    x = np.maximum(random.randn(11, 14, channels), 0).astype(np.float32)
    shape = 11 + 4 - 2 * pad, 14 + 4 - 2 * pad
    y = direct_back(x, w, node, shape) if backward else direct(x, w, node)
    kind, found = run(node, w, x, y, backward=backward, made=made)
    assert kind == f"winograd{made}of5"
    # Of as many inputs as F(6, 3) and F(8, 3).
    assert 1e-8 < relative(found, y) < BOUNDS[made + 2]


@given(st.integers(1, 3), st.integers(1, 7), st.integers(1, 4), st.integers(0, 3))
def test_a_square_gathers_from_all_that_reaches_it(times, kernel, stride, pad):
    side = times * stride
    conv = Conv("conv", kernel=kernel, stride=stride, pad=pad)
    first, window = filters._reach(side, conv)
    reaching = {
        q
        for q in range(-20, 40)
        for i in range(kernel)
        if 0 <= stride * q + i - pad < side
    }
    assert reaching <= set(range(first, first + window))
