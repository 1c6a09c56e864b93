from __future__ import annotations

import pytest

from chainer_style.paper import Cell
from chainer_style.report import arithmetic

# VGG-16 up to conv4_3, written out: channels in and out, and how far it is halved.
VGG = (
    *((3, 64, 1), (64, 64, 1)),
    *((64, 128, 2), (128, 128, 2)),
    *((128, 256, 4), (256, 256, 4), (256, 256, 4)),
    *((256, 512, 8), (512, 512, 8), (512, 512, 8)),
)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_flops_of_vgg_by_hand(size: int) -> None:
    forward = sum(2 * 9 * i * o * (size // halved) ** 2 for i, o, halved in VGG)
    cell = Cell("vgg16", size, "CPU")
    assert arithmetic.iteration_flops(cell) == 2 * forward


def test_flops_of_nin_by_hand() -> None:
    # 128 px: conv1 30, pool 14, pool 6, pool 2.
    layers = [
        (3, 96, 11, 30),
        *[(96, 96, 1, 30)] * 2,
        (96, 256, 5, 14),
        *[(256, 256, 1, 14)] * 2,
        (256, 384, 3, 6),
        *[(384, 384, 1, 6)] * 2,
        (384, 1024, 3, 2),
    ]
    forward = sum(2 * i * o * k * k * side**2 for i, o, k, side in layers)
    assert arithmetic.iteration_flops(Cell("nin", 128, "GPU")) == 2 * forward
