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


def test_shares_of_steps_at_the_same_time(weights_of):
    """The time of such steps is divided by the work of all threads."""
    problem = problems.make(weights_of, "nin", 128, 128)
    engine = CpuEngine(problem, Device(threads=2))
    engine.step()
    plan = engine.plan
    assert plan.program["beside"].sum() == 6
    shares = plan.shares()
    assert len(shares) == len(plan.draft.lines)
    assert (shares > 0).all()
    assert shares.sum() == pytest.approx(1)
