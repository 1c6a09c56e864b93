"""A slice of the campaigns, and that they notice what they are there for."""

from __future__ import annotations

import collections
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz import inputs, verdicts

import chainer_style  # noqa: F401  (makes Chainer's caffe_pb2 importable)
from chainer_style.weights import caffe, store

FOLDER = Path(__file__).parent


@pytest.fixture(scope="module")
def pb():
    from chainer.links.caffe.protobuf3 import caffe_pb2

    return caffe_pb2


def test_any_caffe_file(scratch: Path, pb) -> None:
    outcomes = collections.Counter()
    valid = inputs.caffe_models()
    for number in range(1500):
        scratch.write_bytes(inputs.caffe_input(number, valid))
        outcomes[verdicts.caffe_verdict(scratch, pb)] += 1
    assert outcomes.pop("read") > 50
    assert len(outcomes) > 8
    assert not any("… other …" in kind for kind in outcomes)


def test_any_store(scratch: Path) -> None:
    outcomes = collections.Counter()
    inputs.write_store(scratch)
    content = scratch.read_bytes()
    for number in range(150):
        scratch.write_bytes(content)
        inputs.store_input(number, scratch)
        outcomes[verdicts.store_verdict(scratch)] += 1
    assert outcomes.pop("read") > 20
    assert len(outcomes) > 2
    assert not any("… other …" in kind for kind in outcomes)


def test_inputs_are_the_same_in_every_run(tmp_path: Path) -> None:
    valid = inputs.caffe_models()
    assert inputs.caffe_input(7, valid) == inputs.caffe_input(7, valid)
    changed = []
    for name in "ab":
        inputs.write_store(tmp_path / name)
        inputs.store_input(3, tmp_path / name)
        changed.append((tmp_path / name).read_bytes())
    assert changed[0] == changed[1]


def test_a_reader_that_crashes_is_noticed(scratch: Path, monkeypatch, pb) -> None:
    scratch.write_bytes(inputs.caffe_models()[0])
    assert verdicts.caffe_verdict(scratch, pb) == "read"
    inner = caffe.CaffeLayer("fc", "", ())
    wrong = caffe.CaffeModel("net", (inner,), "V1")
    monkeypatch.setattr(caffe, "read", lambda path: wrong)
    with pytest.raises(AssertionError):
        verdicts.caffe_verdict(scratch, pb)
    monkeypatch.setattr(store, "load", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        verdicts.store_verdict(scratch)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [["caffe_reader.py", "--engine", "mutations"], ["store_reader.py"]],
    ids=["caffe", "store"],
)
def test_a_campaign(tmp_path: Path, words: list[str]) -> None:
    record = tmp_path / "r.json"
    words[0] = str(FOLDER / words[0])
    done = subprocess.run(
        [sys.executable, *words, "--inputs", "200", "--record", str(record)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("200 inputs")
    assert record.exists()
