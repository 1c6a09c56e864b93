from __future__ import annotations

import functools
import importlib
import json
import os
import signal

import pytest
from PIL import Image

from chainer_style import observers, transfer
from chainer_style.engines.base import Losses
from chainer_style.errors import UserError
from chainer_style.transfer import Iterate


@pytest.fixture
def job(pictures, weights_of):
    return transfer.prepare(
        *pictures, width=16, iterations=7, weights=weights_of("vgg16")
    )


def test_snapshots_have_the_names_and_rhythm_of_2016(job, tmp_path):
    for _ in observers.snapshots(job.run(), tmp_path, every=3):
        pass
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["im_00000.png", "im_00003.png", "im_00006.png"]
    with Image.open(tmp_path / names[-1]) as last:
        assert last.size == (16, 12)
        assert last.text["Description"] == "seeded (untrained) weights"


def test_no_snapshots(job, tmp_path):
    assert len(list(observers.snapshots(job.run(), tmp_path, every=0))) == 7
    assert not list(tmp_path.iterdir())


def test_run_log_tells_all(job, tmp_path):
    log = observers.RunLog(job, {"content": "a.png", "style": "b.png"})
    iterates = list(log.watch(job.run()))
    log.write(tmp_path / "run.json")
    document = json.loads((tmp_path / "run.json").read_text())
    assert document["inputs"] == {"content": "a.png", "style": "b.png"}
    assert document["protocol"]["width"] == 16
    assert document["weights"]["label"] == "seeded (untrained) weights"
    assert document["size"] == {"height": 12, "width": 16}
    assert document["environment"]["libraries"]["chainer"] == "7.8.1"
    assert len(document["iterations"]) == len(iterates) == 7
    for entry, iterate in zip(document["iterations"], iterates, strict=True):
        assert entry["seconds"] == iterate.seconds > 0
        assert entry["total"] == iterate.losses.total
        assert list(entry["style"]) == ["conv1_2", "conv2_2", "conv3_3", "conv4_3"]
        parts = [*entry["content"].values(), *entry["style"].values()]
        assert sum(parts) + entry["variation"] == pytest.approx(entry["total"], 1e-4)


def diverged(index):
    terms = (float("nan"),) * 4
    return Iterate(index, 0.1, None, lambda: Losses(float("inf"), terms, terms, 0.0))


def test_losses_that_are_no_numbers_are_null(job, tmp_path):
    log = observers.RunLog(job, {})
    list(log.watch([diverged(0)]))
    log.write(tmp_path / "run.json")
    (entry,) = json.loads((tmp_path / "run.json").read_text())["iterations"]
    assert entry["total"] is None
    assert entry["content"]["conv1_2"] is None


def test_a_run_gone_astray_is_stopped():
    with pytest.raises(UserError, match="no longer a finite number at iteration 5"):
        next(observers.finite([diverged(5)]))


def test_losses_are_looked_at_now_and_then(job):
    """Not before it is their turn, but all of them."""
    looked = []

    def reading(index):
        def read():
            looked.append(index)
            return Losses(float("nan") if index == 5 else 1.0, (), (), 0.0)

        return read

    iterates = [Iterate(i, 0.1, None, reading(i)) for i in range(12)]
    watched = observers.finite(iterates, 4)
    for index in range(8):
        assert next(watched).index == index
        assert looked == list(range(index // 4 * 4 + 1))
    with pytest.raises(UserError, match="finite number at iteration 5"):
        next(watched)
    looked.clear()
    rest = iterates[6:]
    assert len(list(observers.finite(rest, 100))) == 6
    assert looked == [6, 7, 8, 9, 10, 11]


def test_progress_passes_everything_on(job, capsys):
    passed = list(observers.progress(job.run(), total=7))
    assert [iterate.index for iterate in passed] == list(range(7))
    shown = capsys.readouterr().err
    assert "7/7" in shown
    assert "loss=" in shown
    assert "it/s" in shown or "s/it" in shown


def test_quiet_progress_is_silent(job, capsys):
    assert len(list(observers.progress(job.run(), total=7, quiet=True))) == 7
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("done", [0, 2])
def test_progress_through_scales_goes_by_pixels(monkeypatch, capsys, done):
    """Two iterations of 10x10 pixels, two of 20x20: those are four fifths of it."""
    module = importlib.import_module("chainer_style.observers.progress")
    every = functools.partial(module.tqdm, mininterval=0, miniters=1)
    monkeypatch.setattr(module, "tqdm", every)
    monkeypatch.setattr(module, "LOSSES_EVERY", 0.0)
    losses = Losses(1.0, (), (), 0.0)
    iterates = [Iterate(i, 0.1, None, lambda: losses) for i in range(done, 4)]
    passed = observers.progress(iterates, 4, done=done, widths=(10, 10, 20, 20))
    assert list(passed) == iterates
    shown = capsys.readouterr().err
    assert f"{10 * done}%|" in shown
    assert ("2/4 it, 10 px:  20%|" in shown) == (done == 0)
    assert "3/4 it, 20 px:  60%|" in shown
    assert "4/4 it, 20 px: 100%|" in shown
    assert "loss=1" in shown


def test_one_scale_counts_iterations(job, pictures, weights_of):
    assert job.widths == (16,) * 7
    options = {"width": 40, "scales": 2, "iterations": 3}
    two = transfer.prepare(*pictures, weights=weights_of("vgg16"), **options)
    assert two.widths == (20, 20, 20, 40)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_ends_after_the_iteration(job, number):
    before = signal.getsignal(number)
    seen = []
    with observers.interruptible(job.run()) as iterates:
        for iterate in iterates:
            seen.append(iterate.index)
            if iterate.index == 2:
                os.kill(os.getpid(), number)
    assert seen == [0, 1, 2]
    assert signal.getsignal(number) == before


def test_a_second_interruption_is_immediate(job):
    def insist():
        with observers.interruptible(job.run()) as iterates:
            for iterate in iterates:
                for _ in range(2 if iterate.index == 1 else 0):
                    os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        insist()
    assert signal.getsignal(signal.SIGINT) == before


def test_an_interruptible_run_that_fails_leaves_no_handler(job):
    def fail():
        with observers.interruptible(job.run()) as iterates:
            for _ in iterates:
                raise ZeroDivisionError

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError):
        fail()
    assert signal.getsignal(signal.SIGTERM) == before
