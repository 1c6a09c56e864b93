"""What engine numpy has for itself; see also test_agreement."""

from __future__ import annotations

import tracemalloc

import problems
import pytest

from chainer_style.engines.base import Device
from chainer_style.engines.static.engine import NumpyEngine


@pytest.mark.parametrize(
    ("name", "pooling"),
    [("vgg16", "average"), ("vgg16", "max"), ("vgg16", "l2"), ("googlenet", "max")],
)
def test_a_step_allocates_little(weights_of, name, pooling):
    """Less than a picture: NumPy's buffers for casts, whatever the size."""
    problem = problems.make(weights_of, name, 112, 112, "modern", pooling=pooling)
    engine = NumpyEngine(problem, Device())
    engine.step()
    tracemalloc.start()
    try:
        engine.step()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < problem.start.nbytes


def test_memory_is_shared_by_lifetime(weights_of):
    problem = problems.make(weights_of, "vgg16", 64, 64, "modern")
    plan = NumpyEngine(problem, Device())._plan
    alone = sum(2 * 4 * shape.size for shape in problem.network.shapes(64, 64).values())
    assert plan.bytes < 0.65 * alone
