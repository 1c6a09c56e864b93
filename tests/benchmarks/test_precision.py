from __future__ import annotations

import precision
import pytest

from chainer_style.engines.base import Device
from chainer_style.engines.cpu.kernels import target
from chainer_style.report.precisions import Row


@pytest.mark.skipif(
    not target.has_bfloat16(), reason="this CPU does not multiply bfloat16"
)
def test_a_cell():
    found = precision.measure("vgg16", 32, Device(threads=1), 5)
    exact, half = (Row(**row) for row in found)
    assert exact.gradient_deviation < 1e-4 < half.gradient_deviation < 0.2
    assert exact.loss_deviation < half.loss_deviation < 0.1
    assert exact.apart == 0 < half.apart < exact.moved
    assert min(exact.seconds, half.seconds) > 0
    lines = list(precision.table([exact, half]))
    assert lines[1].startswith("VGG-16 32 px, float32")
