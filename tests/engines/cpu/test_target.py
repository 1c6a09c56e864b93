"""Kernels for every kind of CPU, each compiled in a process of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import children
import pytest

from chainer_style.engines.cpu.kernels import target
from chainer_style.errors import UserError

AGREES = """
import conftest, problems
from chainer_style.engines.base import Device
from chainer_style.engines.cpu.engine import CpuEngine
from chainer_style.engines.cpu.kernels import target

for name in ("vgg16", "nin", "googlenet"):
    least = problems.smallest(name, "modern")
    make = conftest.seeded_weights
    problem = problems.make(make, name, least + 3, least + 8, "modern", pooling="max")
    true, gradient = problems.reference(problem)
    losses, found = CpuEngine(problem, Device(threads=2)).evaluate(problem.start)
    assert abs(losses.total / true.total - 1) < 1e-5
    assert problems.relative(found, gradient) < 1e-4
print(target.get().name)
"""


NAMES = [found.name for found in target.TARGETS]
OTHERS = NAMES[NAMES.index(target.get().name) + 1 :]
"""What this CPU could do with less of."""


@pytest.fixture(scope="module")
def said():
    """What the processes say: side by side, since most of it is compiling."""
    with ThreadPoolExecutor() as pool:
        jobs = {
            name: pool.submit(children.run, AGREES, **{target.VARIABLE: name})
            for name in OTHERS
        }
        yield {name: job.result for name, job in jobs.items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_target_computes_the_same(name, said):
    if name == target.get().name:
        pytest.skip("all other tests are of it")
    if name not in said:
        pytest.skip(f"this CPU has no {name}")
    assert said[name]().split() == [name]


def test_an_unknown_target_is_refused(monkeypatch):
    with pytest.raises(UserError, match="set it to one of: avx512, avx2, generic"):
        target.force("sse9")
