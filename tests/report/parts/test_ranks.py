from __future__ import annotations

import re

from chainer_style.report import together


def row(ranks, *turns):
    return {
        "network": "vgg16",
        "size": 512,
        "ranks": ranks,
        "threads": 1,
        "turns": list(turns),
        "bandwidth": 5e9,
        "latency": 1e-5,
    }


def test_gain_beside_what_is_expected(shown):
    one, two = row(1, 1.0, 1.2, 1.0), row(2, 0.5, 0.6, 0.8)
    text = shown("ranks", together.FILE, {"format": 1, "rows": [one, two]})
    found = re.search(r"VGG-16, 512 px, 2 ranks 1\.00 0\.60 2\.00 (1\.\d+) 100 %", text)
    assert found is not None
    assert 1.7 < float(found[1]) < 1.95
    assert "Expected, not measured: 16384×16384 px" in text
    assert "512 bands thinner than their margins —" in text
