from __future__ import annotations

from pathlib import Path

import idx_files
import pytest
from click.testing import CliRunner, Result

from chainer_style.digits.__main__ import main
from chainer_style.engines import devices
from chainer_style.engines.base import Device


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_chainers_trainer_tells_how_it_goes(tmp_path: Path) -> None:
    mnist = idx_files.write(tmp_path / "idx", train=200, t10k=50)
    out = tmp_path / "new" / "out"
    result = call("--mnist", mnist, "--epochs", 2, "--batch", 20, "--out", out)
    assert result.exit_code == 0, result.output
    first, *_ = result.output.splitlines()
    assert first == (
        "digits of files that are not those of MNIST: 200 to learn, 50 to test"
    )
    assert "validation/main/accuracy" in result.output
    assert "20 iter, 2 epoch / 2 epochs" in result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "accuracy.png",
        "log",
        "loss.png",
    ]


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    result = call("--mnist", tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.output.startswith("Error: there are no digits in ")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not devices.obstacle(Device(0)), reason="there is a GPU")
def test_no_gpu(tmp_path: Path) -> None:
    mnist = idx_files.write(tmp_path / "idx", t10k=60)
    result = call("--mnist", mnist, "--gpu", 0, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "no CUDA device for --gpu 0" in result.output
