from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import chainer_style
from chainer_style import protocols, transfer
from chainer_style.errors import UserError


def test_who_runs_ahead_is_not_waited_for(pictures, weights_of, monkeypatch):
    job = transfer.prepare(
        *pictures, width=16, iterations=4, weights=weights_of("vgg16"), engine="numpy"
    )
    waited = []
    monkeypatch.setattr(job.engine, "synchronize", lambda: waited.append(job.done))
    list(job.run(1, ahead=True))
    assert waited == [0]
    monkeypatch.setattr(type(job.engine), "runs_ahead", True)
    list(job.run(1))
    assert waited == [0, 1]
    list(job.run(2, ahead=True))
    assert waited == [0, 1]
    assert job.done == 4


def test_stylize_yields_every_iterate(pictures):
    indices, losses = [], []
    for iterate in chainer_style.stylize(*pictures, width=32, iterations=4):
        indices.append(iterate.index)
        losses.append(iterate.losses.total)
        assert iterate.seconds > 0
        assert iterate.picture.size == (32, 24)
        assert iterate.label.startswith("self-taught weights (no labels")
    assert indices == [0, 1, 2, 3]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("engine", ["auto", "cpu", "numpy"])
def test_a_precision_is_refused_before_filters_are_learned(pictures, engine):
    def learn(nodes):
        raise AssertionError("filters were learned")

    with pytest.raises(UserError, match="does not compute in fp16; take --precision"):
        transfer.prepare(
            *pictures, width=32, engine=engine, precision="fp16", watch=learn
        )


def test_pictures_may_be_pillow_images(pictures, weights_of):
    content, style = (Image.open(path) for path in pictures)
    job = transfer.prepare(content, style, weights=weights_of("vgg16"), width=16)
    assert job.problem.content.shape == (1, 3, 12, 16)
    assert job.problem.style.shape == (1, 3, 16, 12)


def test_2016_pads_both_pictures_and_starts_from_noise(pictures, weights_of):
    job = transfer.prepare(
        *pictures, protocol="2016", model="vgg", weights=weights_of("vgg16"), width=40
    )
    problem = job.problem
    assert problem.content.shape == problem.style.shape == (1, 3, 40, 40)
    assert (problem.content[:, :, :10] == -120).all()
    assert (problem.style[..., :10] == -120).all()
    assert abs(problem.start).max() <= 20
    assert problem.start.std() == pytest.approx(20 / 3**0.5, rel=0.03)


def test_the_seed_decides_the_noise(pictures, weights_of):
    def start(seed):
        return transfer.prepare(
            *pictures, init="noise", seed=seed, width=16, weights=weights_of("vgg16")
        ).problem.start

    np.testing.assert_array_equal(start(1), start(1))
    assert (start(1) != start(2)).any()


def test_a_run_repeats_itself(pictures, weights_of):
    def final():
        job = transfer.prepare(
            *pictures,
            protocol="2016",
            model="vgg16",
            width=16,
            weights=weights_of("vgg16"),
        )
        *_, last = job.run(5)
        return last.array

    np.testing.assert_array_equal(final(), final())


def test_pixels_stay_within_bounds(pictures, weights_of):
    job = transfer.prepare(
        *pictures, width=16, learning_rate=200.0, weights=weights_of("vgg16")
    )
    mean = np.array(job.problem.network.mean).reshape(1, 3, 1, 1)
    for iterate in job.run(3):
        levels = iterate.array + mean
        assert levels.min() >= -1e-3
        assert levels.max() <= 256.001


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"model": "resnet"}, "unknown model"),
        ({"model": "nin", "width": 66}, "at least 67 pixels"),
        ({"protocol": "2015"}, "unknown protocol"),
        ({"engine": "warp"}, "unknown engine"),
        ({"weights": "no/such.h5"}, "no/such.h5"),
        ({"weights": "seeded:x"}, "cannot understand the weights 'seeded:x'"),
        ({"init": "nowhere.png"}, "no such picture: nowhere.png"),
        ({"width": 0}, "width must be 1 or more"),
        ({"pooling": "median"}, "unknown pooling 'median'"),
    ],
)
def test_unusable_options(pictures, options, reason):
    with pytest.raises(UserError, match=reason):
        transfer.prepare(*pictures, **{"width": 16, **options})


def test_network_for_stops_at_the_last_tap():
    network = transfer.network_for(protocols.get("2016").with_options(model="vgg16"))
    assert network.nodes[-1].name == "conv4_3"
    assert network["pool1"].kind == "average"
    network = transfer.network_for(protocols.get("modern"))
    assert network.nodes[-1].name == "relu4_3"


def test_googlenet_as_the_program_ran_it():
    old, new = (
        transfer.network_for(protocols.get(name).with_options(model="googlenet"))
        for name in ("2016", "modern")
    )
    assert old.nodes[-1].name == "inception_4b/output"
    assert old["inception_3a/pool"].kind == "average"
    # F.local_response_normalization(h, n=5) with Chainer's k and undivided alpha.
    norm = old["pool1/norm1"]
    assert (norm.k, norm.alpha / norm.local_size) == (2, 1e-4)
    assert [tap.style for tap in old.taps] == [5e-5, 5, 50, 50, 5000, 500000]
    # Relative losses need no weights against the scales of the features.
    norm = new["pool1/norm1"]
    assert (norm.k, norm.alpha) == (1, 1e-4)
    assert [tap.style for tap in new.taps] == [1] * 6
    assert [tap.content for tap in new.taps] == [0, 0, 0, 0, 1, 1]
