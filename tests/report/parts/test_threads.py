from __future__ import annotations

from chainer_style.report import scaling
from chainer_style.report.scaling import Row


def row(threads, *turns, **more):
    own = {"network": "vgg16", "size": 128, "threads": threads, "turns": list(turns)}
    return own | more


def test_gain_is_the_median_over_the_rounds(shown):
    one, two = row(1, 0.06, 0.08, 0.06), row(2, 0.04, 0.04, 0.03)
    lone = row(2, 0.01, size=256)
    text = shown("threads", scaling.FILE, {"format": 1, "rows": [one, two, lone]})
    assert "VGG-16, 128 px 2 60.0 40.0 2.00 —" in text
    assert "256" not in text


def test_only_several_threads_gain():
    one, two = Row("vgg16", 128, 1, [2.0]), Row("vgg16", 128, 2, [1.0])
    assert scaling.gain(one, [one, two]) is None
    assert scaling.gain(two, [two]) is None
    assert scaling.gain(two, [one, two]) == 2
