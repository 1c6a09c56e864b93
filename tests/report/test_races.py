from __future__ import annotations

import cards
import pytest

from chainer_style import networks
from chainer_style.errors import UserError
from chainer_style.report import races


@pytest.fixture
def race(tmp_path):
    """Return what writes a record and reads it again."""

    def race(**more):
        folder = cards.write(tmp_path, cards.document(**more))
        return races.load(folder / races.FOLDER / "0.json")

    return race


def test_times_rates_and_shares(race):
    found = race()
    own = found.entries["cuda"]
    assert own.seconds == pytest.approx(0.001)
    network = networks.get("vgg16").upto_taps()
    assert found.flops == 2 * network.flops(128, 128)
    assert found.flops_per_second(own) == pytest.approx(found.flops / 0.001)
    assert found.share(own) == pytest.approx(found.flops / 0.001 / cards.FLOPS)
    # The ceiling is of another precision.
    assert found.share(found.entries["chainer-gpu"]) is None
    assert found.ceiling_bytes_per_second == pytest.approx(1e12)
    assert found.best("pytorch").name == "torch-graph"
    assert races.ratio(found.eager, own) == pytest.approx(6)
    assert races.ratio(None, own) is None


def test_memory_is_of_one_measure_for_everyone(race):
    found = race()
    own = found.entries["cuda"]
    assert found.peak(own) == own.process_bytes == round(0.001 * 2**40)
    found = race(process=False)
    assert found.peak(found.entries["cuda"]) == round(0.001 * 2**41)


def told(found):
    return [(t.what, t.reached, t.verdict) for t in races.targets(found)]


def test_targets_of_small_pictures(race):
    eager, captured = told(race(size=64))
    assert eager[0] == "times as fast as PyTorch, eager"
    assert eager[1] == pytest.approx(6)
    assert captured[1] == pytest.approx(2)
    assert eager[2] == captured[2] == "met"
    slow = told(race(size=128, times={"cuda": 0.0018}))
    assert [verdict for *_, verdict in slow] == ["missed", "missed"]
    assert told(race(size=256)) == []


def test_targets_of_large_pictures(race):
    assert [verdict for *_, verdict in told(race(size=512))] == ["met"]
    slow = race(size=1024, times={"cuda": 0.02})
    eager, share, memory = told(slow)
    assert eager[2] == "missed"
    assert share[1:] == (pytest.approx(slow.flops / 0.02 / cards.FLOPS), "missed")
    # Ten times the least that PyTorch took.
    assert memory[1:] == (pytest.approx(10), "missed")
    fine = told(race(size=1024, times={"cuda": 0.0009}))
    assert fine[2][1:] == (pytest.approx(0.45), "met")


def test_what_was_not_measured_meets_nothing(race):
    found = race(size=1024, reasons={"cuda": "gone"})
    assert {verdict for *_, verdict in told(found)} == {"not measured"}
    found = race(size=64, reasons={"torch-graph": "gone"})
    assert [verdict for *_, verdict in told(found)] == ["met", "not measured"]


def test_groups_and_order(tmp_path):
    folder = cards.write(
        tmp_path,
        cards.document("nin"),
        cards.document(size=1024),
        cards.document(size=64, precision="bf16"),
        cards.document(size=64),
    )
    found, skipped = races.read(folder)
    assert skipped == []
    groups = races.groups(found)
    assert [group.title for group in groups] == [
        "VGG-16, tf32",
        "VGG-16, bf16",
        "NIN, tf32",
    ]
    assert [race.size for race in groups[0].races] == [64, 1024]


@pytest.mark.parametrize(
    "damage",
    [
        {"format": 2},
        {"cell": {"network": "vgg16", "size": 1, "precision": "int8"}},
        {"contenders": [{**cards.entry("cuda", 1.0), "turns": []}]},
    ],
)
def test_damaged_records_are_refused(tmp_path, damage):
    folder = cards.write(tmp_path, {**cards.document(), **damage})
    path = folder / races.FOLDER / "0.json"
    with pytest.raises(UserError, match="is not a record"):
        races.load(path)
    found, skipped = races.read(folder)
    assert not found
    assert len(skipped) == 1
