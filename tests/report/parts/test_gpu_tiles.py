from __future__ import annotations

from chainer_style.report import card_tiles


def row(side, **more):
    made = {
        "network": "vgg16",
        "width": 2000,
        "height": 500,
        "precision": "tf32",
        "side": side,
        "iterations": 10,
        "turns": [0.1, 0.2, 0.1],
        "process_bytes": None,
        "card_bytes": 3 << 29,
    }
    return {**made, **more}


def test_tiles_beside_the_whole_and_what_was_not_measured(shown):
    off = {"loss_deviation": 2e-5, "gradient_deviation": 3e-4}
    rows = [
        row(None),
        row(512, turns=[0.15, 0.2, 0.16], process_bytes=1 << 30, **off),
        row(None, precision="bf16", reason="no room", turns=[], iterations=0),
    ]
    text = shown("gpu_tiles", card_tiles.FILE, {"format": 1, "rows": rows})
    assert "VGG-16, tf32: milliseconds of an iteration" in text
    assert "2000×500 px, as a whole 10.0 10.0 — 1.5 GiB — —" in text
    assert "2000×500 px, tiles of 512 px 16.0 16.0 1.50 1.0 GiB 2e-05 3e-04" in text
    assert "VGG-16, bf16: milliseconds" in text
    assert "2000×500 px, as a whole not measured: no room" in text
