from __future__ import annotations

import dataclasses

import profiles_made
import pytest

from chainer_style.errors import UserError
from chainer_style.report import profiles


@pytest.fixture
def found(tmp_path):
    folder = profiles_made.write(tmp_path, profiles_made.document())
    (only,), skipped = profiles.read(folder)
    assert skipped == []
    return only


def test_seconds_by_phase(found):
    seconds = {name: profiles.lasted(own) for name, own in found.phases.items()}
    assert seconds == pytest.approx(
        {
            "first convolution": 0.025,
            "convolutions": 0.040,
            "convolutions back": 0.060,
            "Gram matrices": 0.010,
            "gradients of losses": 0.005,
            "pooling": 0.010,
            "Adam, clip, variation": 0.001,
        }
    )
    assert found.seconds == 0.16


def test_a_floor_is_the_sum_of_those_of_the_steps(found):
    """Each of what limits it: 1 GFLOP at 100 GFLOP/s, 10 MB at 10 GB/s."""
    floor = found.floor(found.phases["Gram matrices"])
    assert (floor.products, floor.memory) == pytest.approx((0.010, 0.001))
    assert floor.limit == "products"
    assert found.floor(found.phases["pooling"]).limit == "memory"
    whole = found.floor(found.steps)
    assert whole.seconds == pytest.approx(
        sum(found.floor([s]).seconds for s in found.steps)
    )


def test_steps_at_the_same_time_share_their_floor(found):
    """Products of one hide what the other waits for in memory."""
    gram, pool = found.phases["Gram matrices"][0], found.phases["pooling"][0]
    apart = found.floor([gram, pool])
    assert apart.memory > 0
    beside = [dataclasses.replace(step, group=3) for step in (gram, pool)]
    together = found.floor(beside)
    assert together.memory == 0
    assert together.seconds == pytest.approx(
        (gram.flops + pool.flops) / found.flops_per_second
    )
    assert together.seconds < apart.seconds


def test_every_kind_of_step_belongs_to_a_phase():
    kinds = pytest.importorskip("chainer_style.engines.cpu.kernels.steps").KINDS
    convolving = {"windows", "direct", "gather", "to_space"}
    others = {kind for kind in kinds if not kind.startswith("winograd")} - convolving
    assert others == profiles.PHASE_OF.keys()


def test_groups_differ_in_network_or_threads(tmp_path):
    cells = [("nin", 64, 2), ("vgg16", 128, 1), ("vgg16", 64, 1), ("vgg16", 64, 2)]
    documents = [profiles_made.document(*cell) for cell in cells]
    found, _ = profiles.read(profiles_made.write(tmp_path, *documents))
    groups = profiles.groups(found)
    titles = ["NIN, 2 threads", "VGG-16, one thread", "VGG-16, 2 threads"]
    assert sorted(group.title for group in groups) == sorted(titles)
    one = next(group for group in groups if group.title == "VGG-16, one thread")
    assert [profile.size for profile in one.profiles] == [64, 128]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 2}, "it is of format 2, not 1"),
        ({"steps": []}, "it lacks times"),
        ({"ceiling": []}, "it lacks matrix products or streams"),
        ({"memory": {}}, "predicted_bytes"),
        ({"cell": {"network": "x", "size": 1, "threads": 1}}, "x"),
    ],
)
def test_damaged_records(tmp_path, change, reason):
    folder = profiles_made.write(tmp_path, profiles_made.document() | change)
    with pytest.raises(UserError, match=reason):
        profiles.load(folder / profiles.FOLDER / "0.json")
    found, skipped = profiles.read(folder)
    assert found == []
    assert reason in skipped[0]
