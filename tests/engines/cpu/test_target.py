"""Kernels for every kind of CPU, each compiled in a process of its own."""

from __future__ import annotations

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


@pytest.mark.parametrize("found", target.TARGETS, ids=lambda t: t.name)
def test_every_target_computes_the_same(found):
    names = [t.name for t in target.TARGETS]
    if names.index(found.name) < names.index(target.get().name):
        pytest.skip(f"this CPU has no {found.name}")
    if found == target.get():
        pytest.skip("all other tests are of it")
    assert children.run(AGREES, **{target.VARIABLE: found.name}).split() == [found.name]


def test_an_unknown_target_is_refused(monkeypatch):
    with pytest.raises(UserError, match="set it to one of: avx512, avx2, generic"):
        target.force("sse9")
