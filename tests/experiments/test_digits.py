from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

import idx_files
import pytest
from PIL import Image

from chainer_style.digits import fetch, folder
from chainer_style.digits.source import Limit
from chainer_style.engines import devices
from chainer_style.engines.base import Device
from chainer_style.errors import UserError
from chainer_style.experiments import child, digits, records, runner
from chainer_style.experiments.catalogue import PARTS, RECORDS, Options
from chainer_style.experiments.digits import DigitsCell, DigitsRecord, Learning

CPU = DigitsCell("CPU")


def quiet(share: float, words: str) -> None:
    pass


@pytest.fixture(scope="module")
def mnist(tmp_path_factory) -> Path:
    return idx_files.write(tmp_path_factory.mktemp("idx"), train=700, t10k=200)


@pytest.fixture(scope="module")
def ran(mnist: Path, tmp_path_factory) -> tuple[Path, list[DigitsRecord]]:
    """A whole run by the runner, each device in a process of its own."""
    results = tmp_path_factory.mktemp("results")
    found = runner.run([Learning(mnist, Limit(640, 150))], results, quiet=True)
    return results, [record for _, record in found]


def test_a_run_leaves_a_record_for_every_device(ran) -> None:
    results, (cpu, *others) = ran
    assert cpu.measured
    assert len(cpu.seconds) == 5
    assert all(second > 0 for second in cpu.seconds)
    assert cpu.accuracy[-1] > 0.7
    assert cpu.learned_loss[-1] < cpu.learned_loss[0]
    assert cpu.rate == pytest.approx(640 / sorted(cpu.seconds[1:])[1], rel=0.5)
    assert cpu.peak_memory_bytes > 50e6
    about = cpu.digits
    assert (about["learned"], about["tested"], about["there"]) == (640, 150, [700, 200])
    assert cpu.settings["batch"] == 128
    assert cpu.settings["seed"] == 0
    assert not cpu.settings["whole"]
    if devices.obstacle(Device(0, cudnn=False)):
        assert [record.reason for record in others] == 2 * ["no CUDA device"]
    folder = results / cpu.machine / "mnist"
    for name in ("cpu-accuracy.png", "cpu-loss.png"):
        assert name in cpu.settings["pictures"].values()
        with Image.open(folder / name) as image:
            assert image.width > 300
    assert {path.suffix for path in folder.iterdir()} == {".json", ".png"}


def test_records_are_read_as_they_were_written(ran) -> None:
    results, measured = ran
    for record in measured:
        path = results / record.machine / "mnist" / f"{record.cell.key}.json"
        read = records.load(path, RECORDS)
        written = json.dumps(record.as_document())
        assert json.dumps(read.as_document()) == written


def test_its_summary(ran) -> None:
    _, (cpu, *_) = ran
    words = Learning().summary(cpu)
    assert f"{cpu.median:.2f} s per epoch of 640 digits" in words
    assert f"{cpu.accuracy[-1]:.2%} of 150 right after 5" in words
    assert "not those of MNIST" in words


@pytest.mark.parametrize("lacking", ["accuracy", "learned_loss"])
def test_a_record_without_all_its_epochs_is_refused(ran, lacking) -> None:
    _, (cpu, *_) = ran
    broken = dataclasses.replace(cpu, **{lacking: getattr(cpu, lacking)[:-1]})
    with pytest.raises(ValueError, match="its epochs are not complete"):
        broken.check()
    with pytest.raises(ValueError, match="it lacks the digits"):
        dataclasses.replace(cpu, settings={}).check()


def test_damaged_files_are_refused_before_anything_is_measured(
    mnist, tmp_path, monkeypatch
) -> None:
    damaged = idx_files.write(tmp_path / "idx", t10k=60, pack=False)
    images = damaged / "t10k-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(UserError, match="ends after 8,639 of 8,640 elements"):
        Learning(damaged).check()
    monkeypatch.setenv(folder.VARIABLE, str(damaged))
    with pytest.raises(UserError, match="ends after"):
        Learning().check()
    with pytest.raises(UserError, match="no digits in"):
        Learning(tmp_path).check()
    monkeypatch.setenv(folder.VARIABLE, str(tmp_path))
    Learning().check()  # what is not there may be fetched
    Learning(mnist).check()


def test_no_digits_is_a_record_with_a_reason(monkeypatch, tmp_path) -> None:
    def refuse(*_, **__):
        raise UserError("train-images-idx3-ubyte.gz cannot be fetched (nowhere)")

    monkeypatch.setattr(fetch, "fetch", refuse)
    monkeypatch.setenv(folder.VARIABLE, str(tmp_path / "none"))
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    record = Learning().measure(CPU, tmp_path, quiet)
    assert not record.measured
    assert "cannot be fetched (nowhere), and scikit-learn" in record.reason
    assert list(tmp_path.iterdir()) == []


def test_progress_goes_from_nothing_to_all(mnist, tmp_path) -> None:
    told: list[tuple[float, str]] = []
    experiment = Learning(mnist, Limit(130, 20))
    child.measure(experiment, CPU, tmp_path, lambda *state: told.append(state))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert told[0][1] == "epoch 1 of 5"


def test_options_reach_the_experiment() -> None:
    options = Options(seconds=1, content=Path("c"), style=Path("s"), weights="seeded")
    assert PARTS["mnist"](options) == [Learning(None, digits.FEW)]
    whole = dataclasses.replace(options, full=True, mnist=Path("m"))
    assert PARTS["mnist"](whole) == [Learning(Path("m"), None)]


@pytest.mark.slow
def test_real_digits_are_learned(tmp_path) -> None:
    variable = "CHAINER_STYLE_TEST_MNIST"
    if variable not in os.environ:
        pytest.skip(f"{variable} names no folder with MNIST's test digits")
    experiment = Learning(Path(os.environ[variable]), Limit(1000, 500))
    record = child.measure(experiment, CPU, tmp_path, quiet)
    assert record.digits["name"] == "MNIST"
    assert all(file["is_published"] for file in record.digits["files"])
    assert record.accuracy[-1] > 0.85
