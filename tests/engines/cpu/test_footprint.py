from __future__ import annotations

import json

import children
import pytest

MEASURE = """
import json
import conftest, problems
from chainer_style import memory
from chainer_style.engines.base import Device
from chainer_style.engines.cpu import compiled
from chainer_style.engines.cpu.engine import CpuEngine
from chainer_style.engines.cpu.footprint import Footprint

compiled.load()
problem = problems.make(conftest.seeded_weights, "{name}", {size}, {size}, "{protocol}")
extents = problem.content.shape[2:], problem.style.shape[2:]
predicted = Footprint.of(problem.network, problem.protocol, *extents, {threads}).total
memory.trim()
before = memory.resident()
memory.forget_peak()
engine = CpuEngine(problem, Device(threads={threads}))
for _ in range(2):
    engine.step()
print(json.dumps([predicted, memory.peak() - before, memory.peak()]))
"""


@pytest.mark.parametrize(
    ("name", "size", "protocol", "threads"),
    [
        ("vgg16", 128, "modern", 1),
        ("vgg16", 300, "2016", 2),
        ("nin", 300, "2016", 2),
        ("nin", 128, "2016", 1),
        ("googlenet", 224, "modern", 1),
    ],
)
def test_the_peak_is_as_predicted(name, size, protocol, threads):
    """Within a tenth, and some MiB that Python and its allocator take."""
    found = children.run(MEASURE.format(**locals()))
    predicted, grown, _ = json.loads(found)
    assert predicted == pytest.approx(grown, rel=0.1, abs=4 * 2**20)


@pytest.mark.slow
def test_512_pixels_take_less_than_a_gigabyte():
    """In all, interpreter and libraries included."""
    found = children.run(
        MEASURE.format(name="vgg16", size=512, protocol="2016", threads=2)
    )
    assert json.loads(found)[2] < 1e9
