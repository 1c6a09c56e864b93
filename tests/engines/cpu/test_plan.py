from __future__ import annotations

import problems
import pytest

from chainer_style.engines.base import Device
from chainer_style.engines.cpu.engine import CpuEngine


def test_shares_of_the_steps(weights_of):
    """Of all steps in their order, and by name, where some have the same."""
    problem = problems.make(weights_of, "vgg16", 64, 64, "modern")
    engine = CpuEngine(problem, Device(threads=2))
    engine.step()
    plan = engine.plan
    shares = plan.shares()
    assert len(shares) == len(plan.draft.lines)
    assert shares.sum() == pytest.approx(1)
    times = plan.times()
    assert sum(times.values()) == pytest.approx(1)
    names = [line.name for line in plan.draft.lines]
    gram = f"{problem.network.taps[0].node} Gram"
    # Of so many positions the sum is cut into slots, which a second step adds up.
    both = [share for name, share in zip(names, shares, strict=True) if name == gram]
    assert len(both) == 2
    assert times[gram] == pytest.approx(sum(both))
