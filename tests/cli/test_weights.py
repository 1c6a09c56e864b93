from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import caffe_files
import published
import pytest
from click.testing import CliRunner
from http_server import Item, serving

from chainer_style.cli import main
from chainer_style.networks import NETWORKS
from chainer_style.weights import folder, registry, store

CAFFE = published.caffemodel()
NAME = "small_layers.caffemodel"
BIG = registry.find("vgg16", "keras")[0]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "models"
    monkeypatch.setenv(folder.VARIABLE, str(path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return path


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home):
    """Run the command line in a folder that is empty but for the models'."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object):
        return CliRunner().invoke(main, [str(word) for word in words])

    return call


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture
def small(server, monkeypatch: pytest.MonkeyPatch):
    """The registry holds one small network."""
    server.items["/f"] = Item(CAFFE)
    monkeypatch.setitem(NETWORKS, "small", published.NETWORK)
    original = published.original(CAFFE, server.url + "/f")
    monkeypatch.setattr(registry, "ORIGINALS", (original,))
    return server


def test_fetch_list_verify_info(call, small, home) -> None:
    result = call("weights", "list")
    assert result.exit_code == 0
    row = result.stdout.splitlines()[1].split()
    assert row == ["small", "Small", "caffe", "0.2", "MB", "not", "there", "none"]

    result = call("weights", "fetch", "small", "--keep")
    assert result.exit_code == 0, result.output
    assert f"models{os.sep}small.h5: Small, " in result.output

    lines = call("weights", "list").stdout.splitlines()
    assert "converted, 0.0 MB" in lines[1]
    assert lines[-1] == "folder: models"

    result = call("weights", "verify")
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        f"ok    models{os.sep}small.h5",
        f"ok    models{os.sep}{NAME}",
    ]
    assert call("weights", "verify", "small").stdout == result.stdout
    assert "conv1_1" in call("weights", "info", home / "small.h5").output


def test_verify_finds_a_flipped_bit(call, small, home) -> None:
    call("weights", "fetch", "small", "-q")
    path = home / "small.h5"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    for words in ([], ["small"], [path]):
        result = call("weights", "verify", *words)
        assert result.exit_code == 1
        assert "WRONG" in result.stdout
    path.write_bytes(data[:1000])
    assert "damaged, 0.0 MB" in call("weights", "list").stdout


def test_a_partial_download_is_listed(call, small, home) -> None:
    home.mkdir()
    (home / f"{NAME}.part").write_bytes(CAFFE[: len(CAFFE) // 4 + 1])
    assert "partial, 25 %" in call("weights", "list").stdout


def test_convert_is_the_same_command(call, small) -> None:
    Path(NAME).write_bytes(CAFFE)
    assert main.commands["weights"].commands["convert"] is main.commands["convert"]
    assert call("weights", "convert", NAME).exit_code == 0
    assert Path("small_layers.h5").is_file()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["fetch"], "Name one or more of vgg16, vgg19, nin"),
        (["fetch", "--all", "nin"], "or say --all"),
        (["fetch", "vgg61"], "did you mean vgg19 or vgg16?"),
        (["fetch", "nin", "--source", "keras"], "nin is not published by keras"),
        (["fetch", "nin", "--source", "torch"], "'torch' is not one of"),
        (["fetch", "nin", "vgg16", "--from", "http://h/f"], "exactly one NAME"),
        (["fetch", "nin", "--from", "f"], "f is not an address to fetch from"),
        (["fetch", "nin", "--form", "f"], "No such option '--form'"),
        (["verify", "resnet"], "no weights are called 'resnet'"),
        (["verify", "missing/file.h5"], "there is no file missing/file.h5"),
        (["fetsh"], "No such command 'fetsh'"),
        (["info", "none.h5"], "there is no file none.h5"),
    ],
)
def test_bad_input_gets_one_line_and_code_2(call, words, reason, tmp_path) -> None:
    result = call("weights", *words)
    assert result.exit_code == 2
    assert reason in result.output
    assert len([li for li in result.output.splitlines() if "Error" in li]) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_dead_address_is_told_in_one_line(call, small) -> None:
    small.items.clear()
    result = call("weights", "fetch", "small")
    assert result.exit_code == 2
    errors = [li for li in result.output.splitlines() if li.startswith("Error")]
    assert len(errors) == 1
    assert "cannot fetch small: 127.0.0.1: it answers 404 Not Found" in errors[0]


def test_all(call, small, home) -> None:
    assert call("weights", "fetch", "--all", "-q").exit_code == 0
    assert (home / "small.h5").is_file()


def test_one_dead_address_does_not_stop_the_others(
    call, small, home, monkeypatch
) -> None:
    away = published.original(
        b"", small.url + "/away", network="nin", name="nin_imagenet.caffemodel"
    )
    monkeypatch.setattr(registry, "ORIGINALS", (away, *registry.ORIGINALS))
    result = call("weights", "fetch", "--all")
    assert result.exit_code == 2
    assert "cannot fetch nin: 127.0.0.1: it answers 404" in result.output
    assert (home / "small.h5").is_file()


# -- weights by name ------------------------------------------------------


def save_trained(weights_of, home: Path) -> None:
    home.mkdir(exist_ok=True)
    original = registry.find("nin")[0]
    weights = dataclasses.replace(
        weights_of("nin"), kind="trained", source=original.name, seed=None
    )
    store.save(weights, home / "nin.h5")


def test_run_takes_trained_weights_where_they_are(
    call, pictures, home, weights_of
) -> None:
    run = ["run", "-i", pictures[0], "-s", pictures[1], "-m", "nin", "-w", 90]
    run += ["--iter", 1, "-q", "-o", "out"]
    result = call(*run, "--weights", "caffe")
    assert result.exit_code == 2
    assert "fetch them with: chainer-style weights fetch nin" in result.output
    assert "self-taught" in call(*run).output

    save_trained(weights_of, home)
    for words in ([], ["--weights", "caffe"], ["--weights", "auto"]):
        result = call(*run, *words)
        assert result.output.endswith("1 iterations, trained weights\n")
        weights = json.loads(Path("out", "run.json").read_text())["weights"]
        assert weights["kind"] == "trained"
        assert weights["source"] == "nin_imagenet.caffemodel"
    assert "seeded" in call(*run, "--protocol", "2016").output


def test_reproduce_fetches_what_is_missing(
    call, pictures, home, weights_of, monkeypatch
) -> None:
    from chainer_style.experiments import runner
    from chainer_style.weights import fetch

    asked: list[str] = []
    monkeypatch.setattr(fetch, "fetch", lambda name, **_: asked.append(name))

    class ReachedError(Exception):
        pass

    def run(experiments, results, **_):
        assert {experiment.weights for experiment in experiments} == {"caffe"}
        raise ReachedError

    monkeypatch.setattr(runner, "run", run)
    words = ["reproduce", "--weights", "caffe", "-i", pictures[0], "-s", pictures[1]]
    assert isinstance(call(*words, "table4", "table5").exception, ReachedError)
    assert asked == ["nin", "vgg16"]
    save_trained(weights_of, home)
    assert isinstance(call(*words, "table5").exception, ReachedError)
    assert isinstance(call(*words, "table4").exception, ReachedError)
    assert asked == ["nin", "vgg16", "vgg16", "vgg16"]


@pytest.mark.slow
def test_reproduce_with_fetched_weights_from_end_to_end(
    call, server, pictures, home, weights_of, monkeypatch
) -> None:
    content = caffe_files.model_of(weights_of("vgg16").arrays)
    server.items["/vgg16"] = Item(content)
    original = published.original(
        content, server.url + "/vgg16", network="vgg16", name="vgg.caffemodel"
    )
    monkeypatch.setattr(registry, "ORIGINALS", (original,))
    words = ["reproduce", "--weights", "caffe", "-i", pictures[0], "-s", pictures[1]]
    result = call(*words, "table5", "--seconds", 0.1)
    assert result.exit_code == 0, result.output
    assert [path.name for path in home.glob("*.h5")] == ["vgg16.h5"]
    (machine,) = (path for path in Path("results").iterdir() if path.name != "report")
    for width in (64, 128, 256):
        record = json.loads((machine / "rates" / f"vgg16-{width}-cpu.json").read_text())
        weights = record["settings"]["weights"]
        assert weights["kind"] == "trained"
        assert weights["source"] == "vgg.caffemodel"
    page = Path("results", "report", "index.html").read_text()
    assert "trained weights" in page
    assert "untrained" not in page


def test_reproduce_stops_where_nothing_can_be_fetched(
    call, server, pictures, monkeypatch
) -> None:
    dead = [
        dataclasses.replace(
            original, mirrors=(registry.Mirror(server.url + "/gone", "here"),)
        )
        for original in registry.ORIGINALS
    ]
    monkeypatch.setattr(registry, "ORIGINALS", tuple(dead))
    words = ["reproduce", "--weights", "caffe", "-i", pictures[0], "-s", pictures[1]]
    result = call(*words, "table5")
    assert result.exit_code == 2
    assert "Error: cannot fetch vgg16: 127.0.0.1: it answers 404" in result.output
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-i", "lighthuose.jpg"], "no such picture: lighthuose.jpg"),
        (["-s", "file"], "file is not a picture"),
        (["--results", "file"], "'file' is a file"),
        (["--results", "file/results"], "cannot write to the folder file/results"),
    ],
)
def test_reproduce_looks_at_what_is_given_before_it_fetches(
    call, pictures, tmp_path, monkeypatch, words, reason
) -> None:
    from chainer_style.weights import fetch

    asked: list[str] = []
    monkeypatch.setattr(fetch, "fetch", lambda name, **_: asked.append(name))
    (tmp_path / "file").write_text("no picture")
    given = ["reproduce", "--weights", "caffe", "-i", pictures[0], "-s", pictures[1]]
    result = call(*given, *words)
    assert result.exit_code == 2
    assert reason in result.output
    assert not asked


# -- stopped in the middle ------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle(server, home, kind, call) -> None:
    """Nothing but the part stays, and the next call goes on from there."""
    sent = 128 * 1024
    path = f"/{BIG.name}"
    server.items[path] = Item(b"x" * sent, stall=sent, announced=BIG.size)
    command = [sys.executable, "-m", "chainer_style", "weights", "fetch", "vgg16"]
    command += ["--from", server.url + path]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    part = home / f"{BIG.name}.part"
    deadline = time.monotonic() + 60
    while not part.exists() or part.stat().st_size < sent:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(kind)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    if kind == signal.SIGINT:
        assert process.returncode == 130
        assert "stopped; the same command goes on from here" in errors
    visible = {p.name for p in home.iterdir() if not p.name.startswith(".")}
    assert visible == {part.name, f"{part.name}.json"}
    assert "partial, 0 %" in call("weights", "list").stdout
    assert call("weights", "verify", "vgg16").exit_code == 1

    server.items[path] = Item(status=[404])
    assert call("weights", "fetch", "vgg16", "--from", command[-1]).exit_code == 2
    assert server.log[-1][1]["Range"] == f"bytes={sent}-"
    assert server.log[-1][1]["If-Range"] == '"1"'
    assert part.stat().st_size == sent
