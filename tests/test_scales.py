"""A picture painted small first: what each scale takes over from the last."""

from __future__ import annotations

import dataclasses
import re
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chainer_style import engines, images, networks, posing, reading, scales, transfer
from chainer_style.engines.base import Device, State
from chainer_style.errors import UserError
from chainer_style.protocols import MODERN, PROTOCOLS
from chainer_style.tiling.create import Limits

BLANK = Image.new("RGB", (400, 300))


def planned(network=networks.VGG16, sources=(BLANK, BLANK), **options):
    settings = MODERN.with_options(**options)
    return [(s.width, s.iterations) for s in scales.plan(settings, sources, network)]


def canvas(height, width, mean=(100.0, 110.0, 120.0)):
    return images.Canvas(height, width, 0, 0, mean)


def test_every_scale_is_twice_as_wide_and_all_but_the_first_are_shorter():
    assert planned(width=1024, scales=3, iterations=300) == [
        (256, 300),
        (512, 150),
        (1024, 150),
    ]
    assert planned(width=201, scales=2, iterations=1) == [(100, 1), (201, 1)]


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=str)
def test_one_scale_is_what_was_asked_for(protocol):
    """No file is looked at."""
    assert scales.plan(protocol, ["none.png"], networks.NIN) == (protocol,)


def test_scales_too_small_for_the_network_are_left_out():
    network = networks.NIN.upto_taps()
    assert 25 < network.minimum_size() <= 50

    def widths(*sources, **options):
        options |= {"network": network, "width": 400, "scales": 10**9}
        return [width for width, _ in planned(sources=sources, **options)]

    square, tall = Image.new("RGB", (50, 50)), Image.new("RGB", (25, 100))
    assert widths(square, square) == [50, 100, 200, 400]
    assert widths(square, tall) == [200, 400]
    # As a square, it is wide enough.
    assert widths(square, tall, square=True) == [50, 100, 200, 400]
    assert widths(square, Image.new("RGB", (1, 900))) == [400]


def test_weights_are_learned_where_there_are_patches_but_not_too_many():
    def learned(width, count):
        chosen = MODERN.with_options(width=width, scales=count)
        found = scales.plan(chosen, (BLANK, BLANK), networks.VGG16.upto_taps())
        return found[scales.learned_at(found)].width

    assert learned(256, 3) == 256
    assert learned(2048, 4) == 512
    assert learned(2048, 2) == 1024
    assert learned(2048, 1) == 2048


@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    larger=st.tuples(st.integers(30, 70), st.integers(30, 70)),
)
def test_bands_do_not_show(height, width, larger):
    random = np.random.RandomState(0)
    array = random.normal(size=(1, 3, height, width)).astype(np.float32)
    for kind in (Image.Resampling.BILINEAR, Image.Resampling.LANCZOS):
        found = scales.resized(array, canvas(*larger), kind)
        whole = [Image.fromarray(a).resize(larger[::-1], kind) for a in array[0]]
        np.testing.assert_allclose(found[0], whole, atol=1e-5)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "BAND", 100)
            found = scales.resized(array, canvas(*larger), kind)
        np.testing.assert_allclose(found[0], whole, atol=1e-5)


def test_moments_fall_as_pixels_become_more():
    random = np.random.RandomState(0)
    shape = 1, 3, 20, 30
    image, first = random.normal(size=(2, *shape)).astype(np.float32)
    second = np.square(random.standard_cauchy(shape)).astype(np.float32)
    found = scales.enlarged(State(image, first, second, 70, 60), canvas(40, 60))
    assert (found.done, found.scheduled) == (70, 0)
    assert found.second.min() >= 0
    for array, before, share in [(found.first, first, 4), (found.second, second, 16)]:
        assert array.dtype == np.float32
        # Bilinear, in the middle of four: 9, 3, 3 and 1 parts of sixteen.
        near = before[0, 1, 7:9, 11:13].astype(float)
        parts = np.outer((3, 1), (3, 1)) / 16
        expected = (near * parts).sum() / share
        assert array[0, 1, 15, 23] == pytest.approx(expected, rel=1e-5)


def test_what_lanczos_adds_stays_within_bounds():
    room = canvas(40, 40)
    image = np.zeros((1, 3, 20, 20), np.float32)
    image[..., :10], image[..., 10:] = room.bounds
    state = State(image, image, np.zeros_like(image), 1, 1)
    found = scales.enlarged(state, room).image
    low, high = room.bounds
    assert (found >= low).all()
    assert (found <= high).all()
    np.testing.assert_allclose(found[0, :, 5, [0, -1]], [low.ravel(), high.ravel()])


@pytest.mark.parametrize("engine", ["chainer", "numpy", "cpu"])
def test_a_run_goes_on_from_scale_to_scale(pictures, weights_of, engine, monkeypatch):
    alive, there = [], []

    def create(*given):
        there.append([reference() for reference in alive])
        made = real(*given)
        alive.append(weakref.ref(made))
        return made

    def read(source, **more):
        sources.append(source)
        return reading(source, **more)

    real, reading, sources = engines.create, images.read, []
    monkeypatch.setattr(engines, "create", create)
    monkeypatch.setattr(images, "read", read)
    job = transfer.prepare(
        *pictures,
        width=68,
        scales=3,
        iterations=4,
        engine=engine,
        device=Device(threads=1),
        weights=weights_of("vgg16"),
    )
    assert (job.iterations, job.protocol.width) == (8, 68)
    seen = []
    for iterate in job.run():
        seen.append((iterate.index, iterate.picture.size))
        assert iterate.losses.is_finite
    sizes = [(17, 12)] * 4 + [(34, 25)] * 2 + [(68, 51)] * 2
    assert seen == list(enumerate(sizes))
    assert sorted(sources) == sorted(3 * list(pictures))
    # No engine is there any more when the next is made.
    assert there == [[], [None], [None, None]]
    assert list(job.run()) == []


def test_weights_are_learned_once(pictures, monkeypatch):
    learned = []

    def load(spec, network, shown, watch):
        learned.append([picture.shape for picture in shown])
        return real(spec, network, shown, watch)

    real = posing.load_weights
    monkeypatch.setattr(posing, "load_weights", load)
    job = transfer.prepare(*pictures, width=40, scales=2, iterations=2)
    weights = job.problem.weights
    *_, _ = job.run()
    assert job.problem.weights is weights
    assert learned == [[(1, 3, 30, 40), (1, 3, 40, 30)]]


def test_the_next_scale_begins_without_a_jump(pictures, weights_of, monkeypatch):
    """The moments know how large its gradient is, and the loss falls on."""
    begun = []
    real = scales.enlarged
    monkeypatch.setattr(
        transfer, "enlarged", lambda *given: begun.append(real(*given)) or begun[-1]
    )
    options = {"width": 64, "iterations": 40, "weights": weights_of("vgg16")}
    options |= {"init": "noise", "engine": "cpu", "device": Device(threads=1)}
    job = transfer.prepare(*pictures, scales=2, **options)
    losses = [iterate.losses.total for iterate in job.run(45)]
    (state,) = begun
    assert (state.done, state.scheduled) == (40, 0)
    _, gradient = job.engine.evaluate(state.image)
    expected = np.sqrt(state.second.mean() / (1 - 0.999**state.done))
    assert np.sqrt(np.square(gradient).mean()) == pytest.approx(expected, rel=0.5)
    assert (np.diff(losses[40:]) < 0).all()
    assert losses[40] == pytest.approx(losses[39], rel=0.05)
    alone = transfer.prepare(*pictures, **options)
    assert losses[40] < 0.8 * next(alone.run()).losses.total


def test_a_last_scale_without_room_is_refused_before_the_first_is_painted(
    pictures, weights_of
):
    """A run of hours would end there."""

    def asked(mebibytes, width, **more):
        with pytest.raises(UserError, match="of memory at least") as error:
            prepared(mebibytes, width, **more)
        found = re.match(r"(\S+) pixels take (.+?)\sMiB", str(error.value))
        return found[1], int(re.sub(r"\D", "", found[2]))

    def prepared(mebibytes, width, **more):
        weights, limits = weights_of("vgg16"), Limits(mebibytes << 20)
        more |= {"engine": "cpu", "device": Device(threads=1), "weights": weights}
        return transfer.prepare(*pictures, width=width, limits=limits, **more)

    _, small = asked(1, 96)
    size, large = asked(1, 768)
    assert size == "768×576"
    between = (small + large) // 2
    assert prepared(between, 96).scale == 0
    assert asked(between, 768, scales=4)[0] == size


def test_a_scale_that_cannot_be_made_leaves_the_last_ones_picture(pictures, weights_of):
    job = transfer.prepare(
        *pictures, width=40, scales=2, iterations=2, weights=weights_of("vgg16")
    )

    def fail(problem, held):
        raise MemoryError

    job._make = fail
    with pytest.raises(MemoryError):
        list(job.run())
    assert job.is_finite
    assert job.picture.size == (40, 30)
    assert (np.asarray(job.picture).std(axis=(0, 1)) > 1).all()


def test_2016_may_have_scales_too(pictures, weights_of):
    job = transfer.prepare(
        *pictures,
        protocol="2016",
        model="nin",
        width=140,
        scales=2,
        iterations=2,
        weights=weights_of("nin"),
        engine="numpy",
    )
    assert [iterate.array.shape[2:] for iterate in job.run()] == [
        (70, 70),
        (70, 70),
        (140, 140),
    ]


def test_fields_of_the_scales_are_the_settings(pictures):
    settings = MODERN.with_options(width=40, scales=2, tv_weight=0.5)
    coarse, fine = scales.plan(settings, pictures, networks.VGG16.upto_taps())
    same = {"width": 40, "iterations": settings.iterations}
    assert dataclasses.replace(coarse, **same) == settings
    assert dataclasses.replace(fine, **same) == settings


def test_one_large_scale_learns_from_smaller_pictures(
    monkeypatch, pictures, weights_of
):
    """All features of a picture are in memory as weights are learned."""
    seen = []

    def load(spec, network, given, watch):
        seen.extend(picture.shape for picture in given)
        return weights_of(network.name)

    monkeypatch.setattr(posing, "load_weights", load)
    monkeypatch.setattr(posing, "LARGEST", 96)
    posed = transfer.pose(*pictures, width=160, weights="self-taught")
    assert max(posed.content.shape[2:]) == 160
    assert max(max(shape[2:]) for shape in seen) == 96
