"""What engine cpu has for itself; see also test_agreement."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import numpy as np
import problems
import pytest

from chainer_style.engines.base import Device
from chainer_style.engines.cpu.engine import CpuEngine
from chainer_style.engines.cpu.kernels.steps import KINDS


@pytest.mark.parametrize("name", ["vgg16", "nin"])
def test_the_number_of_threads_changes_no_bit(weights_of, name):
    problem = problems.make(weights_of, name, 130, 150, "modern")
    found = []
    for threads in (1, 2, 3, 5):
        engine = CpuEngine(problem, Device(threads=threads))
        for _ in range(3):
            losses = engine.step()()
        found.append((losses, engine.image))
    for losses, image in found[1:]:
        assert losses == found[0][0]
        np.testing.assert_array_equal(image, found[0][1])


@pytest.mark.parametrize(("height", "width"), [(64, 64), (61, 110)])
def test_what_is_asked_for_ahead_changes_no_bit(weights_of, height, width):
    """Nor that some of it lies beyond a map. In small pictures it is filters alone."""
    problem = problems.make(weights_of, "vgg16", height, width)
    engine = CpuEngine(problem, Device(threads=2))
    program = engine.plan.program
    kinds = ("winograd2", "winograd4", "winograd6", "winograd8")
    convolutions = np.isin(program["kind"], [KINDS.index(kind) for kind in kinds])
    assert convolutions.sum() > 10
    assert not program["mode"][convolutions].all()
    found = []
    for mode in (0, 1):
        program["mode"][convolutions] = mode
        found.append(engine.evaluate(problem.start))
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_maps_larger_than_filters_are_asked_for(weights_of):
    problem = problems.make(weights_of, "vgg16", 96, 96)
    engine = CpuEngine(problem, Device())
    names = [line.name for line in engine.plan.draft.lines]
    modes = dict(zip(names, engine.plan.program["mode"], strict=True))
    assert modes["conv1_2"] == modes["conv1_2 back"] == 1
    assert modes["conv4_3"] == modes["conv4_3 back"] == 0


def test_losses_are_those_of_their_iteration(weights_of):
    """Whenever they are read: the next iteration is on its way by then."""
    problem = problems.make(weights_of, "nin", 96, 96, tv_weight=1e-3)
    engine = CpuEngine(problem, Device(threads=2))
    first, _ = engine.evaluate(problem.start)
    read = [engine.step() for _ in range(3)]
    found = [one() for one in read]
    assert found[0] == first
    assert len({losses.total for losses in found}) == 3


def test_losses_that_are_not_read_hold_no_engine(weights_of):
    """Its memory has to be free for the next scale's."""
    engine = CpuEngine(problems.make(weights_of, "nin", 96, 96), Device())
    read, plan = engine.step(), weakref.ref(engine.plan)
    del engine
    gc.collect()
    assert plan() is None
    assert read().is_finite


def test_a_step_allocates_little(weights_of):
    """Less than a picture: counters and clocks of the steps, and the losses."""
    problem = problems.make(weights_of, "vgg16", 112, 112, "modern")
    engine = CpuEngine(problem, Device(threads=2))
    engine.step()
    tracemalloc.start()
    try:
        engine.step()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 0.5 * problem.start.nbytes


def test_what_is_no_number_stays_so(weights_of):
    """A ReLU must not hide it, nor the clip: the loop has to notice."""
    problem = problems.make(weights_of, "vgg16", 16, 16, "modern")
    engine = CpuEngine(problem, Device())
    picture = problem.start.copy()
    picture[0, 1, 7, 7] = np.nan
    losses, _ = engine.evaluate(picture)
    assert not losses.is_finite


@pytest.mark.parametrize("clipped", [False, True])
def test_the_programs_clip_cuts_to_integers(weights_of, clipped):
    """Whenever the first value is clipped, as np.vectorize did."""
    problem = problems.make(weights_of, "vgg16", 16, 16, learning_rate=4.0)
    problem.start[0, 0, 0, 0] = 500 if clipped else 3.25
    engine = CpuEngine(problem, Device())
    engine.step()
    image = engine.image
    assert image.min() >= -120
    assert image.max() <= 136
    assert (image == np.trunc(image)).all() == clipped


def test_memory_is_shared_by_lifetime(weights_of):
    problem = problems.make(weights_of, "vgg16", 96, 96, "modern")
    plan = CpuEngine(problem, Device(threads=1)).plan
    alone = sum(2 * 4 * shape.size for shape in problem.network.shapes(96, 96).values())
    assert plan.arena.size < 0.4 * alone


@pytest.mark.parametrize(("height", "width"), [(70, 90), (128, 128), (250, 260)])
@pytest.mark.parametrize("protocol", ["2016", "modern"])
def test_no_matrix_is_kept_of_few_positions(weights_of, height, width, protocol):
    """NIN's last tap has 1024 channels, and here from 2 to 49 positions."""
    problem = problems.make(weights_of, "nin", height, width, protocol)
    engine = CpuEngine(problem, Device(threads=2))
    assert ("style error relu10" in engine.plan.draft.sizes) == (height == 250)
    losses, gradient = engine.evaluate(problem.start)
    true, wanted = problems.reference(problem)
    np.testing.assert_allclose(losses.style, true.style, rtol=1e-5)
    np.testing.assert_allclose(losses.content, true.content, rtol=1e-5)
    assert problems.relative(gradient, wanted) < 1e-4
