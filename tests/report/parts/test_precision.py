from __future__ import annotations

import pytest

from chainer_style.report import precisions


def row(precision, **more):
    made = {
        "network": "vgg16",
        "size": 128,
        "precision": precision,
        "seconds": 0.06,
        "loss_deviation": 1e-7,
        "gradient_deviation": 2e-6,
        "apart": 0.0,
        "moved": 12.0,
    }
    return {**made, **more}


@pytest.mark.parametrize(
    ("part", "file"),
    [("precision", precisions.FILE), ("gpu_precision", precisions.ON_CARD)],
)
def test_gain_and_deviation(shown, part, file):
    half = row("bf16", seconds=0.04, gradient_deviation=0.03, apart=0.25)
    text = shown(part, file, {"format": 1, "rows": [row("float32"), half]})
    assert "VGG-16 128 px, float32 60.0 1.00 1e-07 2e-06 0.00 of 12.0" in text
    assert "VGG-16 128 px, bf16 40.0 1.50 1e-07 3e-02 0.25 of 12.0" in text
