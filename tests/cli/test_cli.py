from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import caffe_files
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from chainer_style import checkpoint, networks, observers
from chainer_style.cli import main
from chainer_style.protocols import MODERN


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Run the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        return CliRunner().invoke(main, [str(word) for word in words])

    return call


@pytest.fixture
def base(pictures):
    """``run`` on small pictures."""
    return ["run", "-i", pictures[0], "-s", pictures[1], "-w", 16, "-q"]


def test_help_is_quick_and_needs_no_heavy_library():
    code = (
        "import sys; sys.argv = ['chainer-style', 'run', '--help']\n"
        "from chainer_style.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'chainer', 'numpy', 'matplotlib', 'PIL', 'h5py', "
        "'cupy', 'jinja2'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "--protocol" in result.stdout
    assert result.stdout.endswith("[]\n")


def test_help_tells_the_defaults_of_both_protocols(call):
    text = " ".join(call("run", "--help").output.split())
    assert "[2016: 5000, modern: 300]" in text
    assert "[2016: nin, modern: vgg16]" in text
    assert "[2016: seeded, modern: auto]" in text
    assert "--pooling [average|max|l2]" in text
    assert "[2016: average, modern: average]" in text


def test_run(call, base, tmp_path):
    result = call(*base, "--iter", 3, "--snapshot-every", 2, "-o", "out")
    assert result.exit_code == 0, result.output
    assert "self-taught weights (no labels" in result.output
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["final.png", "im_00000.png", "im_00002.png", "run.json"]
    document = json.loads((tmp_path / "out" / "run.json").read_text())
    assert len(document["iterations"]) == 3
    assert document["protocol"]["content_weight"] == MODERN.content_weight
    with Image.open(tmp_path / "out" / "final.png") as image:
        assert image.size == (16, 12)
        assert image.text["Description"].startswith("self-taught weights (no labels")


def test_coarse_to_fine(call, base, tmp_path):
    """Iterations, and so the pictures' numbers, are counted through the scales."""
    words = ["-w", 40, "--scales", 9, "--iter", 4, "--snapshot-every", 2, "-o", "out"]
    result = call(*base, *words)
    assert result.exit_code == 0, result.output
    assert "6 iterations" in result.output
    sizes = {}
    for path in (tmp_path / "out").glob("*.png"):
        with Image.open(path) as image:
            sizes[path.name] = image.size
    assert sizes == {
        "im_00000.png": (20, 15),
        "im_00002.png": (20, 15),
        "im_00004.png": (40, 30),
        "final.png": (40, 30),
    }
    document = json.loads((tmp_path / "out" / "run.json").read_text())
    assert document["scales"] == [
        {"width": 20, "iterations": 4},
        {"width": 40, "iterations": 2},
    ]
    protocol = document["protocol"]
    assert (protocol["width"], protocol["iterations"], protocol["scales"]) == (40, 4, 9)
    assert document["size"] == {"height": 30, "width": 40}
    assert len(document["iterations"]) == 6


def test_the_original_scripts_options(call, pictures, tmp_path):
    """As one called chainer-gogh.py in 2015, with the protocol named."""
    result = call(
        *("run", "-m", "nin", "--orig_img", pictures[0], "--style_img", pictures[1]),
        *("--out_dir", "out", "-g", "-1", "--iter", "2", "--lr", "3", "--lam", "0.01"),
        *("--width", "70", "--protocol", "2016", "--quiet"),
    )
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "out" / "run.json").read_text())
    protocol = document["protocol"]
    assert (protocol["name"], protocol["model"], protocol["width"]) == (
        "2016",
        "nin",
        70,
    )
    assert (protocol["learning_rate"], protocol["content_weight"]) == (3, 0.01)
    assert document["size"] == {"height": 70, "width": 70}


@pytest.mark.parametrize("engine", ["chainer", "numpy"])
def test_pooling_is_a_matter_of_choice(call, base, tmp_path, engine):
    totals = set()
    for pooling in ("average", "max", "l2"):
        result = call(
            *(*base, "--iter", 1, "--weights", "seeded", "--engine", engine),
            *("--pooling", pooling, "-o", pooling),
        )
        assert result.exit_code == 0, result.output
        document = json.loads((tmp_path / pooling / "run.json").read_text())
        assert document["protocol"]["pooling"] == pooling
        totals.add(document["iterations"][0]["total"])
    assert len(totals) == 3


def test_start_from_a_picture_and_from_an_array(call, base, pictures, tmp_path):
    assert call(*base, "--iter", 1, "--init", pictures[1]).exit_code == 0
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 12, 16)))
    assert call(*base, "--iter", 1, "--init", tmp_path / "x.npy").exit_code == 0
    result = call(*base, "--iter", 1, "--init", tmp_path / "x.npy", "-w", 32)
    assert result.exit_code == 2
    assert "must be numbers of shape (1, 3, 24, 32)" in result.output


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-i", "missing.png"], "no such picture: missing.png"),
        (["-s", "text.png"], "text.png is not a picture"),
        (["-m", "resnet"], "unknown model 'resnet'; choose one of: alexnet, googlenet"),
        (["-w", "0"], "width must be 1 or more, not 0"),
        (["-m", "nin", "-w", "60"], "NIN needs a picture of at least 67 pixels"),
        (["--iter", "0"], "iterations must be 1 or more"),
        (["--resume"], "no checkpoint to go on from: output/checkpoint.npz"),
        (["--scales", "0"], "scales must be 1 or more"),
        (["--scales", "3", "-i", "text.png"], "text.png is not a picture"),
        (["--lr", "nan"], "learning rate must be a finite number"),
        (["--pooling", "L2"], "'L2' is not one of 'average', 'max', 'l2'"),
        (["-g", "99"], "no CUDA device"),
        (["--weights", "missing.h5"], "missing.h5"),
        (["--weights", "text.png"], "text.png"),
        (["--weights", "empty.caffemodel"], "empty.caffemodel"),
        (["--engine", "warp"], "'warp' is not one of 'auto', 'chainer'"),
        (["--protocol", "2015"], "'2015' is not one of '2016', 'modern'"),
        (["--widht", "3"], "No such option '--widht'"),
        (["-o", "text.png"], "'text.png' is a file"),
        (["-o", "text.png/out"], "cannot write to the folder text.png/out"),
        (["-o", "/proc/out"], "cannot write to the folder /proc/out"),
        (["--init", "missing.npy"], "no such file to start from: missing.npy"),
    ],
)
def test_bad_input_gets_one_line_and_code_2(call, base, tmp_path, words, reason):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.caffemodel").touch()
    before = sorted(tmp_path.iterdir())
    result = call(*base, *words)
    assert result.exit_code == 2, result.output
    errors = [line for line in result.output.splitlines() if "Error" in line]
    assert len(errors) == 1
    assert reason in errors[0]
    assert "Traceback" not in result.output
    assert sorted(tmp_path.iterdir()) == before


def test_weights_of_another_network(call, base, tmp_path, weights_of):
    from chainer_style.weights import store

    store.save(weights_of("nin"), tmp_path / "nin.h5")
    result = call(*base, "--weights", tmp_path / "nin.h5")
    assert result.exit_code == 2
    assert "NIN" in result.output
    assert "VGG-16" in result.output

    model = caffe_files.model_of(weights_of("nin").arrays)
    (tmp_path / "nin.caffemodel").write_bytes(model)
    result = call(*base, "--weights", "nin.caffemodel")
    assert result.exit_code == 2
    (line,) = result.output.splitlines()
    assert line.startswith("Error: nin.caffemodel is NIN, not VGG-16: layer conv1_1 is")


def test_a_run_gone_astray_leaves_its_numbers_but_no_picture(call, base, tmp_path):
    from chainer_style.weights import store
    from chainer_style.weights.collection import Weights

    shapes = networks.VGG16.upto_taps().parameter_shapes()
    arrays = {
        layer: {key: np.full(shape, 1e9, np.float32) for key, shape in s.items()}
        for layer, s in shapes.items()
    }
    store.save(Weights("vgg16", "trained", arrays, "huge"), tmp_path / "huge.h5")
    result = call(*base, "--weights", tmp_path / "huge.h5", "-o", "out")
    assert result.exit_code == 2
    assert "no longer a finite number at iteration 0" in result.output
    document = json.loads((tmp_path / "out" / "run.json").read_text())
    assert document["iterations"][0]["total"] is None
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["run.json"]


def test_convert(call, tmp_path, weights_of):
    model = caffe_files.model_of(weights_of("nin").arrays)
    (tmp_path / "nin.caffemodel").write_bytes(model)
    result = call("convert", "nin.caffemodel")
    assert result.exit_code == 0, result.output
    assert "nin.h5: NIN, 10 layers" in result.output

    result = call("convert", "nin.caffemodel", "-m", "vgg", "-o", "other.h5")
    assert result.exit_code == 2
    assert "nin.caffemodel is NIN, not VGG-16: layer conv1_1 is" in result.output
    assert not (tmp_path / "other.h5").exists()


def test_converted_weights_run_like_the_originals(call, pictures, tmp_path, weights_of):
    model = caffe_files.model_of(weights_of("nin").arrays)
    (tmp_path / "nin.caffemodel").write_bytes(model)
    assert call("convert", "nin.caffemodel", "-o", "nin.h5").exit_code == 0
    totals = []
    for weights in ("nin.caffemodel", "nin.h5", "seeded"):
        result = call(
            *("run", "-i", pictures[0], "-s", pictures[1], "-m", "nin", "-w", 90),
            *("--iter", 2, "-q", "-o", weights + "-out", "--weights", weights),
        )
        assert result.exit_code == 0, result.output
        document = json.loads((tmp_path / f"{weights}-out" / "run.json").read_text())
        totals.append([entry["total"] for entry in document["iterations"]])
        trained = weights != "seeded"
        assert (document["weights"]["sha256"] is not None) == trained
    assert totals[0] == totals[1] == totals[2]


def test_a_stopped_run_is_gone_on_with(call, base, tmp_path, monkeypatch):
    words = [*base, "-w", 40, "--scales", 2, "--iter", 6, "--snapshot-every", 4]
    words += ["--engine", "cpu", "--threads", 1]
    assert call(*words, "-o", "whole").exit_code == 0
    finite = observers.finite

    def stopped(iterates, every=1):
        for iterate in finite(iterates, every):
            yield iterate
            if iterate.index == 6:
                os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(observers, "finite", stopped)
        result = call(*words, "-o", "parts", "--checkpoint")
    assert result.exit_code == 130, result.output
    assert "7 iterations" in result.output
    assert (tmp_path / "parts" / "checkpoint.npz").exists()
    result = call(*words, "-o", "parts", "--resume", "--iter", 7)
    assert result.exit_code == 2
    assert "protocol iterations is 6 there, 7 here" in result.output
    result = call(*words, "-o", "parts", "--resume")
    assert result.exit_code == 0, result.output
    assert "9 iterations" in result.output
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for name in ("im_00000.png", "im_00004.png", "im_00008.png", "final.png"):
        assert (whole / name).read_bytes() == (parts / name).read_bytes()
    documents = [
        json.loads((folder / "run.json").read_text()) for folder in (whole, parts)
    ]
    totals = [[entry["total"] for entry in d["iterations"]] for d in documents]
    assert totals[0] == totals[1]
    assert [d["resumed_after"] for d in documents] == [0, 7]
    result = call(*words, "-o", "parts", "--resume")
    assert result.exit_code == 2
    assert "nothing is left to do" in result.output


def test_checkpoints_come_with_snapshots(call, base, tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(
        checkpoint, "save", lambda path, found: kept.append((path.name, found.done))
    )
    words = [*base, "--iter", 5, "--snapshot-every", 2, "-o", "out"]
    assert call(*words, "--weights", "seeded").exit_code == 0
    assert kept == []
    assert call(*words, "--weights", "seeded", "--checkpoint").exit_code == 0
    assert kept == [("checkpoint.npz", done) for done in (1, 3, 5, 5)]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_saves_what_there_is(pictures, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "chainer_style",
            "run",
            "-i",
            pictures[0],
            "-s",
            pictures[1],
            "-w",
            "16",
            "-o",
            str(out),
            "--iter",
            "1000000",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (out / "im_00050.png").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    document = json.loads((out / "run.json").read_text())
    assert len(document["iterations"]) > 50
    with Image.open(out / "final.png") as image:
        assert image.size == (16, 12)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_reproduce_in_one_line(pictures, tmp_path):
    """It reaches every process of a terminal; the journal stays for the next run."""
    words = [sys.executable, "-m", "chainer_style", "reproduce", "table4"]
    words += ["-i", pictures[0], "-s", pictures[1], "--results", tmp_path]
    process = subprocess.Popen(
        [str(word) for word in [*words, "--seconds", 300]],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    shown = ""
    while "iterations" not in shown:
        assert process.poll() is None
        shown += process.stderr.read(1)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.endswith("stopped; the same command goes on from here\n")
    assert "Traceback" not in errors
    (unfinished,) = tmp_path.glob("*/unfinished")
    assert len(unfinished.read_text().splitlines()) == 1
    assert not list(tmp_path.glob("*/rates/*.json"))


def test_reproduce_sums_up(call, pictures):
    words = ["-i", pictures[0], "-s", pictures[1], "-q", "--seconds", 0.1]
    result = call("reproduce", "table4", *words)
    assert result.exit_code == 0, result.output
    measured, missing = [], []
    for line in result.output.splitlines():
        measured += [line] if "iterations/min" in line else []
        missing += [line] if line.startswith("not measured, ") else []
    assert len(measured) >= 2
    assert measured[0].startswith("VGG-16 128 px CPU")
    if len(measured) == 2:
        assert missing == ["not measured, no CUDA device: 6 cells"]
    assert "results/report/index.html" in result.output
