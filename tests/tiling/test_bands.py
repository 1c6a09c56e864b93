"""Bands of several ranks give what one process gives."""

from __future__ import annotations

import itertools
import json

import mpi_jobs
import pytest

from chainer_style import networks
from chainer_style.engines.cpu import compiled
from chainer_style.errors import UserError
from chainer_style.tiling.bands import Band
from chainer_style.tiling.ranks import Alone

JOB = """
import json, sys
import numpy as np
import conftest, problems
from chainer_style import engines
from chainer_style.engines.base import Device
from chainer_style.tiling.create import Limits, create
from chainer_style.tiling.ranks import connect, ending

ours = connect()
with ending(ours):
    problem = problems.make(
        conftest.seeded_weights, "{name}", 139, 101, "modern", iterations=8
    )
    whole = engines.create("{engine}", problem, Device(threads=1))
    limits = Limits(ranks=ours, tile={tile})
    parted = create("{engine}", problem, Device(threads=1), limits=limits)
    losses, gradient = parted.evaluate(problem.start)
    true, wanted = whole.evaluate(problem.start)
    for _ in range(8):
        last, last_true = parted.step()(), whole.step()()
    picture, state = parted.image, parted.state
    finite = parted.is_finite
    if ours.is_root:
        exact = engines.create("chainer", problem, Device(), "float64")
        content = exact.evaluate(problem.start)[0].content
        apart = np.abs(picture - whole.image)
        found = dict(
            loss=abs(losses.total / true.total - 1),
            content=max(abs(a - b) for a, b in zip(losses.content, content)),
            whole=max(abs(a - b) for a, b in zip(true.content, content)),
            variation=abs(losses.variation / true.variation - 1),
            gradient=problems.relative(gradient, wanted),
            last=abs(last.total / last_true.total - 1),
            apart=apart.mean(),
            second=problems.relative(state.second, whole.state.second),
            finite=finite,
        )
        print(json.dumps({{key: float(value) for key, value in found.items()}}))
    else:
        assert np.isnan(picture).all() and picture.strides == (0, 0, 0, 0)
"""


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("count", "name", "engine", "tile"),
    [
        (2, "vgg16", "cpu", None),
        (3, "vgg16", "cpu", 32),
        (2, "vgg16", "numpy", None),
    ],
)
def test_ranks_agree_with_one_process(count, name, engine, tile):
    compiled.load()  # once, instead of in every rank
    code = JOB.format(name=name, engine=engine, tile=tile)
    done = mpi_jobs.start(count, code)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["loss"] < 1e-5
    # Both are as near to double precision: of 0.26, four units in the last place.
    assert found["whole"] < 1e-7
    assert found["content"] < 1e-7
    assert found["variation"] < 1e-5
    # A ReLU at zero takes 2e-4 of it; see test_engine.
    assert found["gradient"] < 1e-3
    assert found["last"] < 1e-4
    assert found["apart"] < 0.01
    assert found["second"] < 0.01
    assert found["finite"]


SCALES = """
import dataclasses, json, sys
from pathlib import Path
import numpy as np
import conftest, problems
from chainer_style import checkpoint, transfer
from chainer_style.engines.base import Device
from chainer_style.tiling.create import Limits
from chainer_style.tiling.ranks import connect, ending

ours = connect()
left = Path(sys.argv[1])
how = dict(engine="cpu", device=Device(threads=1), width=192, model="vgg16", scales=2)
how |= dict(iterations=4, weights="seeded")

def painting(limits, **more):
    pictures = "samples/swirls.jpg", "samples/lighthouse.jpg"
    return transfer.prepare(*pictures, limits=limits, **how, **more)

with ending(ours):
    parted, whole = painting(Limits(ranks=ours)), painting(Limits())
    for iterate in parted.run():
        if iterate.index == 4:  # the first of the second scale
            found = parted.as_checkpoint()
            if ours.is_root:
                checkpoint.save(left, found)
    for _ in whole.run():
        pass
    ours.agree(True)
    resumed = painting(Limits(ranks=ours), resume=left)
    start = resumed.done
    for _ in resumed.run():
        pass
    pictures = [job.image for job in (parted, whole, resumed)]
    if ours.is_root:
        first, true, again = pictures
        apart = [float(np.abs(other - true).mean()) for other in (first, again)]
        print(json.dumps([apart, start, resumed.done, bool((first == again).all())]))
"""


@pytest.mark.mpi
def test_ranks_paint_scales_and_go_on(tmp_path):
    compiled.load()
    done = mpi_jobs.start(2, SCALES, tmp_path / "checkpoint.npz")
    assert done.returncode == 0, done.stderr
    apart, start, end, same = json.loads(done.stdout)
    assert max(apart) < 0.01
    assert (start, end) == (5, 6)
    assert same


class Of(Alone):
    """One of several ranks, without the others."""

    def __init__(self, number, count):
        super().__init__()
        self.number, self.count = number, count


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("name", ["vgg16", "nin", "googlenet"])
def test_bands_cover_the_picture(name, count):
    network = networks.get(name).upto_taps()
    height = 331 * count
    bands = [Band.of(network, height, 200, Of(i, count)) for i in range(count)]
    assert bands[0].first == bands[0].top == 0
    assert bands[-1].last == bands[-1].bottom == height
    for one, other in itertools.pairwise(bands):
        assert one.bottom == other.top
        assert other.above == one.last - one.bottom
        assert one.below == other.top - other.first
        assert one.last > one.bottom
        assert other.first < other.top


def test_too_many_ranks_are_refused():
    network = networks.get("vgg16").upto("conv4_3")
    with pytest.raises(UserError, match=r"8 ranks are too many for 256 rows.*fewer"):
        Band.of(network, 256, 256, Of(0, 8))
