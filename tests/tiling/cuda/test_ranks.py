"""Several ranks, a device each, give what one device gives."""

from __future__ import annotations

import json

import host_machine
import mpi_jobs
import pytest

JOB = """
import dataclasses, json
import numpy as np
import conftest, host_machine, problems
from chainer_style.engines.cuda.engine import CudaEngine
from chainer_style.tiling.cuda.create import create
from chainer_style.tiling.ranks import connect, ending

ours = connect()
with ending(ours):
    problem = problems.make(
        conftest.seeded_weights, "vgg16", 90, 41, "modern", iterations=3
    )
    network = problem.network.upto(problem.network.taps[1].node)
    problem = dataclasses.replace(problem, network=network)
    parted = create(problem, host_machine.HostMachine(), ours, 32)
    losses, gradient = parted.evaluate(problem.start)
    for _ in range(3):
        last = parted.step()()
    picture, state = parted.image, parted.state
    if ours.is_root:
        whole = CudaEngine(problem, host_machine.HostMachine())
        true, wanted = whole.evaluate(problem.start)
        for _ in range(3):
            last_true = whole.step()()
        found = dict(
            loss=abs(losses.total / true.total - 1),
            variation=abs(losses.variation / true.variation - 1),
            gradient=problems.relative(gradient, wanted),
            last=abs(last.total / last_true.total - 1),
            apart=np.abs(picture - whole.image).mean(),
            second=problems.relative(state.second, whole.state.second),
        )
        print(json.dumps({key: float(value) for key, value in found.items()}))
"""


@pytest.mark.mpi
@pytest.mark.parametrize("count", [2, 3])
def test_ranks_agree_with_one_device(count):
    if host_machine.COMPILER is None:
        pytest.skip(host_machine.MISSING)
    done = mpi_jobs.start(count, JOB)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["loss"] < 1e-5
    assert found["variation"] < 1e-5
    assert found["gradient"] < 1e-4
    assert found["last"] < 1e-4
    assert found["apart"] < 0.01
    assert found["second"] < 0.01
