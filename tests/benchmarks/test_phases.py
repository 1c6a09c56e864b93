from __future__ import annotations

import json

import phases
import pytest
import tiles
from measuring import Cell

from chainer_style import memory
from chainer_style.engines.cpu import choice
from chainer_style.experiments import ceilings
from chainer_style.report import profiles


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(phases, "PAUSE", 0.0)
    monkeypatch.setitem(ceilings.SIZES, "CPU", (32, 64))


def test_a_cell(quick, posed, tmp_path):
    """Its record can be read, and tells each step's phase."""
    problem = posed("vgg16", 32, tv_weight=1e-3)
    content, plan = phases.measure(Cell("vgg16", 32, 1), problem, 0.05)
    content["memory"]["measured_bytes"] = 2**20
    path = tmp_path / "record.json"
    head = {"format": 1, "ended": "now", "environment": {"machine": "m"}}
    path.write_text(json.dumps({**head, **content}))
    found = profiles.load(path)
    first = [step.name for step in found.phases[profiles.FIRST]]
    assert first == ["conv1_1", "conv1_1 back"]
    assert all(step.backward for step in found.phases[profiles.BACK])
    assert not any(step.backward for step in found.phases[profiles.FORTH])
    update = [step.name for step in found.phases[profiles.UPDATE]]
    assert update == ["total variation", "Adam and clip"]
    assert len(found.steps) == len(plan.draft.lines)
    assert profiles.lasted(found.steps) == pytest.approx(found.seconds, rel=0.5)
    lines = list(phases.table(found, each=False))
    assert [line.split("  ")[0] for line in lines[1:-2]] == list(found.phases)
    steps = list(phases.table(found, each=True))
    assert any(line.startswith("conv2_1 back (winograd") for line in steps)
    shown = list(phases.memory_map(found, plan))
    assert any(line.startswith("features relu1_1") for line in shown)


def test_memory_in_a_process_of_its_own(scripts, monkeypatch):
    cell = Cell("nin", 96, 1)
    words = phases._words(cell, "seeded")
    grown = phases.processes.measure(str(scripts / "phases.py"), words, 1)
    predicted = phases.predicted(cell, phases.pose(cell, "seeded"))
    near = pytest.approx(predicted, rel=0.1, abs=8 * 2**20)
    if memory.PROCESS.exists():  # elsewhere a peak cannot be forgotten
        assert grown["peak_above_start_bytes"] == near


def test_every_tile_is_tried(posed):
    problem = posed("vgg16", 32)
    found = tiles.measure(Cell("vgg16", 32, 1), problem, 1)
    assert [one.name for one in found][:3] == ["conv1_2", "conv1_2 back", "conv2_1"]
    shapes = problem.network.shapes(32, 32)
    back = next(one for one in found if one.name == "conv2_1 back")
    expected = {m: choice.cycles(m, 128, shapes["pool1"]) for m in tiles.TILES}
    assert back.cycles == expected
    assert all(one.seconds.keys() == expected.keys() for one in found)
    # No CPU has such a clock: what took less time was another step.
    least = {(one.name, m): one.cycles[m] / 30e9 for one in found for m in tiles.TILES}
    assert all(
        one.seconds[m] > least[one.name, m] for one in found for m in tiles.TILES
    )
    _, _, *rows, whole, _ = tiles.table(found)
    assert len(rows) == len(found)
    assert "F(6) alone" in whole


def test_a_program_of_one_tile(posed):
    problem = posed("vgg16", 32)
    chosen = choice.tiles(problem.network, 32, 32)
    iteration = tiles._with_tiles(Cell("vgg16", 32, 1), problem, chosen, 2)
    kinds = {phases.kind(step) for step in iteration.plan.program}
    assert {name for name in kinds if name.startswith("winograd")} == {"winograd2"}
