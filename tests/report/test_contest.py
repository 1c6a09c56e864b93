from __future__ import annotations

import contests
import pytest

from chainer_style.errors import UserError
from chainer_style.report import arithmetic, contest


@pytest.fixture
def found(tmp_path):
    folder = contests.write(tmp_path, contests.document())
    (only,), skipped = contest.read(folder)
    assert skipped == []
    return only


def test_time_of_an_iteration():
    """The first of a turn does not count, unless it is the only one."""
    turns = [[9.0, 1.0, 3.0], [9.0, 4.0], [7.0]]
    entry = contest.Entry("x", "X", "own", turns=turns)
    assert entry.seconds == 4.0


def test_ratios(found):
    own = found.best("own")
    assert own.name == "numpy"
    assert found.best("pytorch").name == "torch-compile"
    assert contest.ratio(found.best("pytorch"), own) == pytest.approx(2.5)
    assert contest.ratio(found.of_2016, own) == pytest.approx(6)
    assert contest.ratio(None, own) is None


def test_who_was_not_measured_is_not_the_best(tmp_path):
    reasons = {"torch": "gone", "torch-compile": "gone", "chainer-2016": "gone"}
    found = contest.load(
        contests.write(tmp_path, contests.document(reasons=reasons))
        / "benchmarks/cpu/0.json"
    )
    assert found.best("pytorch") is None
    assert found.of_2016 is None
    assert [entry.name for entry in found.measured] == ["chainer", "numpy"]


VGG16_128 = (
    # in, out, side: 3x3 convolutions up to conv4_3
    *((3, 64, 128), (64, 64, 128), (64, 128, 64), (128, 128, 64)),
    *((128, 256, 32), (256, 256, 32), (256, 256, 32)),
    *((256, 512, 16), (512, 512, 16), (512, 512, 16)),
)
TAPS_128 = ((64, 128), (128, 64), (256, 32), (512, 16))


def test_operations_are_counted_once(found):
    convolutions = sum(2 * 9 * i * o * side**2 for i, o, side in VGG16_128)
    grams = sum(2 * c * c * side**2 for c, side in TAPS_128)
    assert found.flops == 2 * (convolutions + grams)
    network = arithmetic.network_of_2016("vgg16")
    assert arithmetic.transfer_flops(network, 128, 128) == found.flops


def test_share_of_the_ceiling(found):
    own = found.best("own")
    assert found.ceiling_flops_per_second == pytest.approx(contests.FLOPS)
    assert found.flops_per_second(own) == pytest.approx(found.flops / 0.2)
    assert found.share(own) == pytest.approx(found.flops / 0.2 / contests.FLOPS)


def test_records_in_order_and_together(tmp_path):
    cells = [("nin", 128, 1), ("vgg16", 256, 2), ("vgg16", 512, 1), ("vgg16", 64, 1)]
    folder = contests.write(tmp_path, *(contests.document(*cell) for cell in cells))
    found, _ = contest.read(folder)
    together = contest.groups(found)
    assert [(g.title, [c.size for c in g.contests]) for g in together] == [
        ("VGG-16, one thread", [64, 512]),
        ("VGG-16, 2 threads", [256]),
        ("NIN, one thread", [128]),
    ]
    assert together[0].titles("own") == {"numpy": "The *numpy*"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 7}, "format 7"),
        ({"cell": {"network": "vgg16"}}, "missing"),
        ({"cell": {"network": "no", "size": 1, "threads": 1}}, "no"),
        ({"contenders": [{"name": "x"}]}, "missing"),
        ({"contenders": [{**contests.entry("x", 1.0), "turns": [[]]}]}, "lacks times"),
    ],
)
def test_what_is_no_record_is_skipped_and_named(tmp_path, change, words):
    broken = {**contests.document(), **change}
    folder = contests.write(tmp_path, contests.document(), broken)
    found, skipped = contest.read(folder)
    assert len(found) == 1
    assert len(skipped) == 1
    assert words in skipped[0]
    with pytest.raises(UserError):
        contest.load(folder / "benchmarks/cpu/1.json")


def test_a_machine_without_records(tmp_path):
    assert contest.read(tmp_path) == ([], [])
