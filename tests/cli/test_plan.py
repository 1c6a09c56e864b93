"""``plan``, and what ``run`` says of memory and tiles."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from chainer_style import memory
from chainer_style.cli import main


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def base(pictures, tmp_path):
    content, style = pictures
    return (
        *("run", "-i", content, "-s", style, "-o", tmp_path / "out"),
        *("-w", 80, "--iter", 1, "--weights", "seeded", "-q"),
    )


def test_a_plan():
    result = call("plan", "--size", "400x300", "--tile", 128, "--threads", 1)
    assert result.exit_code == 0, result.output
    lines = dict(line.strip().split("  ", 1) for line in result.output.splitlines())
    told = {name: value.strip() for name, value in lines.items()}
    assert told["picture"] == "400×300 px"
    assert told["tiles"].startswith("12 of 128 px at most, and margins of 42 px")
    assert told["features kept"] == "relu1_2, relu2_2, relu3_3, relu4_3"
    parts = ["pictures", "filters", "content", "kept", "room", "matrices", "program"]
    assert told["an iteration"].endswith("%")
    assert float(told["expected"].split()[0]) > 0
    assert "300 of them" in told
    assert all(name in told for name in parts)


def test_a_plan_allocates_no_picture():
    """A tenth of it would show."""
    memory.forget_peak()
    before = memory.resident()
    result = call(
        *("plan", "--size", "12000x9000", "--tile", 64, "-m", "nin", "--memory", "9G")
    )
    assert result.exit_code == 0, result.output
    assert memory.peak() - before < 12000 * 9000 * 12 // 4


def test_a_plan_of_a_whole_picture():
    result = call("plan", "--size", 96, "--memory", "8GiB", "--threads", 1)
    assert result.exit_code == 0, result.output
    assert "one: the picture as a whole" in result.output
    assert "add 0 %" in result.output


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--size", "8K"], "is no size in pixels"),
        (["--size", "640", "--memory", "much"], "is no amount of memory"),
        (["--size", "640", "--memory", "90M"], "of memory at least"),
        (["--size", "64", "-m", "nin"], "NIN needs a picture of at least 67"),
        (["--size", "99", "-m", "lenet9"], "lenet9"),
        (["--size", "99", "--tile", "0"], "--tile"),
        ([], "--size"),
    ],
)
def test_bad_input_gets_one_line_and_code_2(words, reason):
    result = call("plan", *words)
    assert result.exit_code == 2, result.output
    (line,) = (line for line in result.output.splitlines() if "Error" in line)
    assert reason in line


# -- run --------------------------------------------------------------------


def test_a_budget_that_is_too_small(base, tmp_path):
    result = call(*base, "--engine", "cpu", "--memory", "90MiB")
    assert result.exit_code == 2
    (line,) = result.output.splitlines()
    assert "80×60 pixels take" in line
    assert "not 90" in line
    assert "--width" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("engine", ["numpy", "chainer"])
def test_who_predicts_no_memory(base, engine):
    result = call(*base, "--engine", engine, "--memory", "2GiB")
    assert result.exit_code == 2
    (line,) = result.output.splitlines()
    assert f"the engine '{engine}' predicts no memory" in line


def test_tiles_change_nothing(base, tmp_path):
    found = []
    for more in ([], ["--tile", 32]):
        result = call(*base, "--engine", "cpu", *more)
        assert result.exit_code == 0, result.output
        with Image.open(tmp_path / "out" / "final.png") as picture:
            found.append(np.asarray(picture, int))
    # By Adam's first step, every pixel moves by one level or not at all.
    assert np.abs(found[0] - found[1]).max() <= 2
    assert np.mean(found[0] != found[1]) < 0.01


def test_the_estimate_is_printed(base):
    result = call(*base[:-1], "--engine", "cpu", "--tile", 32)
    assert result.exit_code == 0, result.output
    assert "tiles of 32 px, about " in result.output
    assert "MiB of memory in all; kept between both passes: relu1_2" in result.output


def test_the_estimate_of_every_scale_is_printed(base):
    result = call(*base[:-1], "--engine", "cpu", "--tile", 32, "--scales", 2)
    assert result.exit_code == 0, result.output
    first, later = (line for line in result.output.splitlines() if "px, about" in line)
    assert first.startswith("2 tiles of 32 px, about ")
    assert "80 px: 6 tiles of 32 px, about " in later


def test_precision_that_tiles_do_not_have(base):
    result = call(*base, "--engine", "cpu", "--precision", "float64", "--tile", 32)
    assert result.exit_code == 2
    assert "does not compute in float64; take --precision float32" in result.output
    assert "or --engine numpy" in result.output
