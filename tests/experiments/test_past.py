from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
from PIL import Image

from chainer_style import images, memory, protocols
from chainer_style.cli.reproduce import _Part
from chainer_style.errors import UserError
from chainer_style.experiments import child, confined, past, records
from chainer_style.experiments.catalogue import (
    NAMES,
    PARTS,
    RECORDS,
    Options,
    experiments_of,
)
from chainer_style.experiments.past import CELLS, GIB, Past, PastCell, PastRecord

MIB = 2**20

WIDE = PastCell(64, 36, 1, 3)

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux limits a process's memory"
)


@pytest.fixture
def experiment(pictures):
    return Past(*pictures, "seeded")


def measure(experiment, cell, folder):
    return child.measure(experiment, cell, folder, lambda *_: None)


@linux
def test_a_cell_runs_within_its_budget_as_predicted(experiment, tmp_path):
    record = measure(experiment, WIDE, tmp_path)
    assert record.reason is None
    assert len(record.seconds) == len(record.losses) == 3
    assert record.losses[-1] < record.losses[0]
    assert record.finite
    assert 0 < record.before_bytes < record.own_bytes < record.expected_bytes
    # What making weights takes at times is more than so small a picture.
    assert record.expected_bytes - 50 * MIB < record.peak_memory_bytes < GIB
    assert record.cut["tiles"] == 1
    settings = record.settings
    assert settings["style_size"] == [48, 64]
    expected = protocols.get("2016").with_options(
        model="vgg16", width=64, **past.OPTIONS
    )
    assert settings["protocol"] == dataclasses.asdict(expected)
    path = records.save(record, tmp_path)
    assert records.load(path, RECORDS).per_megapixel == record.per_megapixel
    assert " s per iteration, " in experiment.summary(record)


@pytest.fixture
def unconfined(monkeypatch):
    """No limit is set on the tests' own process."""
    monkeypatch.setattr(confined, "confine", lambda budget, device: 5)


def test_a_budget_that_is_too_small_is_a_record(
    experiment, unconfined, tmp_path, monkeypatch
):
    monkeypatch.setattr(past, "GIB", MIB)
    record = experiment.measure(WIDE, tmp_path, lambda *_: None)
    assert not record.measured
    assert record.before_bytes == 5
    assert record.reason.startswith("64×36 pixels take ")


def test_running_out_of_memory_is_a_record(
    experiment, unconfined, tmp_path, monkeypatch
):
    def posed(*_):
        raise MemoryError

    monkeypatch.setattr(Past, "_posed", posed)
    record = experiment.measure(WIDE, tmp_path, lambda *_: None)
    assert record.reason == "out of memory at 1 GiB"


@pytest.mark.parametrize("cell", [*CELLS, PastCell(90, 40, 1, 1)])
def test_the_content_gets_just_the_size_of_the_cell(cell, random):
    """And is the middle of the picture, not distorted."""
    array = random.randint(0, 256, (360, 480, 3)).astype(np.uint8)
    found = past.cropped(Image.fromarray(array), cell.width, cell.height)
    width = max(cell.width, cell.height)
    fitted = images.fitted_size(*found.size, width)
    assert fitted == (cell.width, cell.height)
    top, left = (360 - found.height) // 2, (480 - found.width) // 2
    middle = array[top : top + found.height, left : left + found.width]
    assert (np.asarray(found) == middle).all()
    assert 480 - found.width < cell.width or 360 - found.height < cell.height


def test_a_picture_too_small_for_a_shape_is_refused():
    with pytest.raises(UserError, match="has no part of the shape 16:9"):
        past.cropped(Image.new("RGB", (15, 15)), 7680, 4320)


def test_what_this_machine_lacks_is_told(experiment, monkeypatch):
    cell = CELLS[-1]
    monkeypatch.setattr(memory, "address_space", lambda: GIB)
    monkeypatch.setattr(memory, "available", lambda: 3 * GIB)
    assert experiment.obstacle(cell) == "of 4 GiB, 3.0 GiB are available"
    for there in (None, 5 * GIB):
        monkeypatch.setattr(memory, "available", lambda there=there: there)
        assert experiment.obstacle(cell) is None
    monkeypatch.setattr(memory, "address_space", lambda: 0)
    assert experiment.obstacle(cell) == "no limit can be set here"


def test_long_cells_run_only_when_they_are_asked_for(pictures):
    few = Options(1, *pictures, None)
    full = dataclasses.replace(few, full=True)

    def cells(names, options):
        (found,) = (e for e in experiments_of(names, options) if isinstance(e, Past))
        return list(found.cells())

    assert [cell.width for cell in cells([], few)] == [512, 1024]
    assert cells(["past"], full) == list(CELLS)
    for cell in CELLS:
        assert cells([cell.part], few) == [cell]
        assert _Part().convert(cell.part, None, None) == cell.part
    assert "px8k" not in PARTS
    assert "px8k" in NAMES


def test_8k_is_8k():
    cell = CELLS[-1]
    assert (cell.width, cell.height, cell.gib) == (7680, 4320, 4)
    assert cell.key == "vgg16-7680x4320-4gib"
    assert cell.size == "8K, 7680×4320 px"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"seconds": [1.0, 1.0]},
        {"seconds": [1.0, 1.0], "peak_memory_bytes": 1},
        {"seconds": [1.0, 1.0], "peak_memory_bytes": 1, "losses": [2.0, 1.0]},
    ],
)
def test_a_record_that_lacks_something_is_refused(more):
    record = PastRecord(cell=WIDE, environment={"machine": "x"}, dropped=1, **more)
    with pytest.raises(ValueError, match="it lacks"):
        record.check()
