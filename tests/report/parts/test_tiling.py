from __future__ import annotations

from chainer_style.report import tilings


def row(side, again, *turns):
    return {
        "network": "vgg16",
        "size": 1000,
        "threads": 2,
        "side": side,
        "again": again,
        "turns": list(turns),
    }


def test_tiles_beside_the_whole(shown):
    rows = [row(None, 0, 1.0, 2.0, 1.0), row(512, 4, 1.5, 2.0, 1.6)]
    text = shown("tiling", tilings.FILE, {"format": 1, "rows": rows})
    assert "VGG-16, 2 threads, 1000 px, as a whole 1.00 1.00 —" in text
    cut = "tiles of 512 px, 4 taps computed anew 1.60 1.60 1.50"
    assert f"VGG-16, 2 threads, 1000 px, {cut}" in text
