from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from chainer_style import checkpoint, transfer
from chainer_style.engines.base import Device
from chainer_style.errors import UserError


@pytest.fixture
def prepare(pictures, weights_of):
    """Set up a small transfer of two scales, four and two iterations."""

    def prepare(*given, **options):
        settings = {"width": 40, "scales": 2, "iterations": 4, "engine": "numpy"}
        settings |= {"weights": weights_of("vgg16"), **options}
        return transfer.prepare(*(given or pictures), **settings)

    return prepare


@pytest.fixture
def left(prepare, tmp_path):
    """A checkpoint after the third iteration."""
    path = tmp_path / checkpoint.NAME
    job = prepare()
    list(job.run(3))
    checkpoint.save(path, job.as_checkpoint([{"seconds": 1.5}]))
    return path


@pytest.mark.parametrize(
    ("engine", "after"),
    [("chainer", 5), ("numpy", 4), ("cpu", 1), ("cpu", 4), ("cpu", 5)],
)
def test_a_run_goes_on_bit_by_bit(prepare, tmp_path, engine, after):
    """In the middle of a scale, and between two."""
    options = {"engine": engine, "device": Device(threads=1)}
    whole = prepare(**options)
    expected = [(iterate.losses, iterate.array) for iterate in whole.run()]
    path = tmp_path / "any.npz"
    job = prepare(**options)
    list(job.run(after))
    checkpoint.save(path, job.as_checkpoint())
    assert [file.name for file in tmp_path.iterdir()] == ["any.npz"]
    resumed = prepare(resume=path, **options)
    assert resumed.done == after
    count = after
    for iterate in resumed.run():
        losses, array = expected[iterate.index]
        assert (iterate.index, iterate.losses) == (count, losses)
        np.testing.assert_array_equal(iterate.array, array)
        count += 1
    assert count == len(expected) == 6


def test_all_comes_back(prepare, left):
    found = checkpoint.load(left)
    job = prepare(resume=left)
    assert (job.scale, job.done, job.record) == (0, 3, [{"seconds": 1.5}])
    state = job.engine.state
    assert (state.done, state.scheduled) == (3, 3)
    for name in checkpoint.ARRAYS:
        kept = getattr(found.state, name)
        assert kept.dtype == np.float32
        np.testing.assert_array_equal(getattr(state, name), kept)


def test_a_scale_that_could_not_be_made_is_gone_on_with(prepare, tmp_path):
    def fail(problem, held):
        raise MemoryError

    whole, job = prepare(), prepare()
    job._make = fail
    with pytest.raises(MemoryError):
        list(job.run())
    checkpoint.save(tmp_path / "x.npz", job.as_checkpoint())
    *_, last = prepare(resume=tmp_path / "x.npz").run()
    *_, expected = whole.run()
    np.testing.assert_array_equal(last.array, expected.array)


def test_another_engine_may_go_on(prepare, left):
    *_, last = prepare(resume=left, engine="chainer", snapshot_every=7).run()
    *_, expected = prepare().run()
    assert np.abs(last.array - expected.array).mean() < 0.1


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"width": 44}, "protocol width is 40 there, 44 here"),
        ({"iterations": 5}, "protocol iterations is 4 there, 5 here"),
        ({"scales": 1}, "protocol scales is 2 there, 1 here"),
        ({"learning_rate": 1.0}, "protocol learning rate is 4.0 there, 1.0 here"),
        ({"seed": 3}, "seed is 0 there, 3 here"),
        ({"model": "vgg19"}, "protocol model is vgg16 there, vgg19 here"),
        ({"weights": "self-taught"}, "weights kind is seeded there, self-taught here"),
    ],
)
def test_another_runs_is_refused(prepare, left, options, difference):
    with pytest.raises(UserError, match="belongs to another run") as said:
        prepare(resume=left, **options)
    assert difference in str(said.value)
    assert "\n" not in str(said.value)


def test_so_are_other_pictures(prepare, left, pictures):
    content, style = pictures
    with pytest.raises(UserError, match=r"size height is 15 there, 20 here"):
        prepare(style, style, resume=left)
    with pytest.raises(UserError, match=r"checksum style is \d+ there, \d+ here"):
        prepare(content, content, resume=left)


def test_a_run_that_was_done_is_not_gone_on_with(prepare, tmp_path):
    job = prepare()
    list(job.run())
    checkpoint.save(tmp_path / "x.npz", job.as_checkpoint())
    with pytest.raises(UserError, match="nothing is left to do"):
        prepare(resume=tmp_path / "x.npz")


def test_unusable_files_are_named(prepare, left, tmp_path):
    whole = left.read_bytes()
    text, half, empty = (tmp_path / f"{name}.npz" for name in ("text", "half", "none"))
    text.write_text("no checkpoint")
    half.write_bytes(whole[: len(whole) // 2])
    np.savez(empty, image=np.zeros(3))
    flipped = tmp_path / "flipped.npz"
    changed = bytearray(whole)
    changed[len(whole) // 3] ^= 1
    flipped.write_bytes(changed)
    for path in (text, half, empty, flipped, tmp_path):
        with pytest.raises(UserError, match="cannot read the checkpoint") as said:
            checkpoint.load(path)
        assert str(path) in str(said.value)
        assert "\n" not in str(said.value)
    with pytest.raises(UserError, match="no checkpoint to go on from: nowhere"):
        checkpoint.load(tmp_path.relative_to(tmp_path) / "nowhere.npz")


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("image", np.zeros((1, 3, 2, 2), np.float32)),
        ("first", np.full((1, 3, 15, 20), np.nan, np.float32)),
        ("second", np.zeros((1, 3, 15, 20))),
    ],
)
def test_arrays_that_do_not_fit_are_refused(left, name, array):
    found = checkpoint.load(left)
    state = dataclasses.replace(found.state, **{name: array})
    checkpoint.save(left, dataclasses.replace(found, state=state))
    with pytest.raises(UserError, match=f"its {name} is not"):
        checkpoint.load(left)


def test_formats_to_come_are_refused(left, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    with pytest.raises(UserError, match="of format 1, this program reads 2"):
        checkpoint.load(left)


def test_a_failure_leaves_the_old_file(left, prepare, monkeypatch):
    before = left.read_bytes()

    def fail(path, **_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(UserError, match="No space left"):
        checkpoint.save(left, prepare().as_checkpoint())
    assert left.read_bytes() == before
    assert len(list(left.parent.iterdir())) == 1
