from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import types

import cards
import gpu
import gpu_contenders
import gpu_kernels
import gpu_measuring
import gpu_memory
import gpu_references
import numpy as np
import pytest
import workers
from contenders import LEAN
from gpu_contenders import CardContender, OnCard
from gpu_measuring import Cell, Settings
from gpu_references import Truth

from chainer_style.engines.base import Device
from chainer_style.engines.define_by_run import ChainerEngine
from chainer_style.experiments.ceilings import Run
from chainer_style.report import kernels, races

CELL = Cell("vgg16", 32, "float32")

RUNS = (Run("product", 10, 2000, (9.0, 1e-6)), Run("copy", 10, 80, (9.0, 1e-8)))


def settings(references=None, rounds=2):
    return Settings(rounds, 0.05, "seeded", references, {}, tell=lambda line: None)


def test_a_cell_without_a_card(tmp_path):
    """Who computes something else has no times, and the record can be read."""
    numpy, true = gpu_contenders.chosen(["numpy", "chainer-gpu"], "float32", "cpu")
    create = OnCard("numpy", "float32", place="cpu")
    other = LEAN.with_options(content_weight=0.1)
    false = CardContender("false", "False", "pytorch", other, create)
    absent = CardContender(
        "absent", "Absent", "pytorch", LEAN, create, module="no_such_module"
    )
    (unknown,) = gpu_contenders.chosen(["cuda9"], "tf32", "cpu")
    everyone = [numpy, true, false, absent, unknown]
    content = gpu_measuring.measure(
        CELL, everyone, settings(), gpu_memory.Nothing(), RUNS
    )
    path = tmp_path / "record.json"
    head = {"format": 1, "ended": "now", "environment": {"machine": "m"}}
    path.write_text(json.dumps({**head, **content}))
    found = races.load(path)
    assert [entry.name for entry in found.measured] == ["numpy", "chainer-gpu"]
    entry = found.entries["numpy"]
    assert entry.iterations >= 1
    assert len(entry.turns) == 2
    assert entry.gradient_deviation < 1e-5
    assert found.peak(entry) is None
    assert "is off by" in found.entries["false"].reason
    assert found.entries["absent"].reason == "no_such_module is not installed"
    assert "unknown engine 'cuda9'" in found.entries["cuda9"].reason
    lines = list(gpu.table(found))
    assert lines[1].startswith("Engine numpy")
    assert any(line.startswith("matrix product: 0.00200 TFLOP/s") for line in lines)
    assert any(line.endswith("not measured") for line in lines)


def test_a_picture_that_is_too_small():
    contenders = gpu_contenders.chosen(["numpy"], "float32", "cpu")
    cell = Cell("nin", 64, "float32")
    content = gpu_measuring.measure(
        cell, list(contenders), settings(), gpu_memory.Nothing(), ()
    )
    assert "at least 67 pixels" in content["contenders"][0]["reason"]


def test_a_reference_is_kept_and_only_taken_for_the_same_problem(
    posed, tmp_path, monkeypatch
):
    problem = posed("vgg16", 16)
    keeping = settings(tmp_path / "new")
    first = gpu_references.reference(CELL, problem, keeping)
    true, gradient = ChainerEngine(problem, Device(), "float64").evaluate(problem.start)
    assert first.loss == pytest.approx(true.total, rel=1e-12)
    assert first.deviations(true.total, gradient) == pytest.approx((0, 0), abs=1e-6)
    assert first.deviations(2 * true.total, 3 * gradient) == pytest.approx((1, 2))

    def refuse(*given, **more):
        raise workers.WorkerError("computed again")

    monkeypatch.setattr(gpu_references, "Worker", refuse)
    again = gpu_references.reference(CELL, problem, keeping)
    assert again.loss == first.loss
    np.testing.assert_array_equal(again.gradient, first.gradient)
    problem.start[0, 0, 3, 3] += 50
    with pytest.raises(workers.WorkerError, match="computed again"):
        gpu_references.reference(CELL, problem, keeping)


def test_a_turn_is_timed_as_a_whole_and_memory_noted(posed):
    (numpy,) = gpu_contenders.chosen(["numpy"], "float32", "cpu")
    worker = gpu_measuring.started(numpy, posed("vgg16", 16), settings())
    try:
        worker.ready()
        start = worker.set_up()
        assert start.gradient is None
        assert start.first_loss > 0
        turn = worker.turn(7)
        assert len(turn.seconds) == 1
        loss, gradient = worker.evaluate()
        assert loss == pytest.approx(start.first_loss, rel=1e-5)
        assert gradient.shape == (1, 3, 16, 16)
    finally:
        worker.close()


def test_what_compiles_does_so_ahead(monkeypatch):
    asked = []

    class Fake:
        def __init__(self, contender, *given, **more):
            self.name = contender.name

        def ready(self):
            asked.append(("ready", self.name))

        def begin(self):
            asked.append(("begin", self.name))

        def wait(self):
            asked.append(("wait", self.name))

        def close(self):
            asked.append(("close", self.name))

    monkeypatch.setattr(gpu_measuring, "Worker", Fake)
    (plain,) = gpu_contenders.chosen(["numpy"], "float32", "cpu")
    create = OnCard("numpy", "float32", place="cpu")
    compiling = [CardContender(n, n, "own", LEAN, create, compiles=True) for n in "ab"]
    with_whom = [(CELL, [plain, *compiling]), (Cell("nin", 8, "tf32"), compiling)]
    gpu_measuring.compile_ahead(with_whom, settings())
    steps = ("ready", "begin", "wait", "close")
    assert asked == [(what, name) for what in steps for name in "ab"]


class Meter:
    """Tells what it was given, one after the other; then the last."""

    def __init__(self, card, process):
        self.cards, self.processes = list(card), list(process)

    def card(self):
        return self.cards.pop(0) if len(self.cards) > 1 else self.cards[0]

    def process(self, pid):
        found = self.processes
        return found.pop(0) if len(found) > 1 else found[0]

    def describe(self):
        return {}


def test_the_most_memory_counts():
    with gpu_memory.watched(Meter([100, 500, 300], [400, 200]), 1) as taken:
        while taken.held != 200:
            time.sleep(0.01)
    assert (taken.process, taken.card, taken.held) == (400, 400, 200)
    with gpu_memory.watched(Meter([None], [None]), 1) as taken:
        pass
    assert (taken.process, taken.card, taken.held) == (None, None, None)
    with gpu_memory.watched(gpu_memory.Nothing(), 1) as taken:
        pass
    assert taken.card is None


class Library(types.ModuleType):
    """Stands for the driver's management library, with a card and two processes."""

    NVMLError = KeyError
    NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2

    def nvmlInit(self):  # noqa: N802
        pass

    def nvmlDeviceGetHandleByPciBusId(self, address):  # noqa: N802
        assert address == b"00000000:1B:00.0"
        return "card"

    def nvmlDeviceGetMemoryInfo(self, card):  # noqa: N802
        return types.SimpleNamespace(used=900)

    def nvmlDeviceGetComputeRunningProcesses(self, card):  # noqa: N802
        taken = {1: 300, 2: None}
        return [
            types.SimpleNamespace(pid=pid, usedGpuMemory=own)
            for pid, own in taken.items()
        ]

    def nvmlSystemGetDriverVersion(self):  # noqa: N802
        return b"580.1"

    def nvmlDeviceGetEnforcedPowerLimit(self, card):  # noqa: N802
        raise KeyError("not supported")

    def nvmlDeviceGetMaxClockInfo(self, card, kind):  # noqa: N802
        return 1000 * kind


def test_the_driver_is_asked(monkeypatch):
    place = {"pciDomainID": 0, "pciBusID": 0x1B, "pciDeviceID": 0}
    runtime = types.SimpleNamespace(
        getDeviceProperties=lambda number: place, memGetInfo=lambda: (100, 1000)
    )
    cupy = types.ModuleType("cupy")
    cupy.cuda = types.SimpleNamespace(runtime=runtime)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "pynvml", Library("pynvml"))
    found = gpu_memory.meter()
    assert found.card() == 900
    assert [found.process(pid) for pid in (1, 2, 3)] == [300, None, None]
    assert found.describe() == {
        "driver": "580.1",
        "sm_clock_limit_mhz": 1000,
        "memory_clock_limit_mhz": 2000,
    }
    monkeypatch.setitem(sys.modules, "pynvml", None)
    found = gpu_memory.meter()
    assert (found.card(), found.process(1), found.describe()) == (900, None, {})


def test_lengths_of_turns():
    assert gpu_measuring.length(0.001, 0.3) == 300
    assert gpu_measuring.length(4.0, 0.3) == 1
    assert gpu_measuring.length(1e-9, 0.3) == gpu_measuring.AT_MOST


def test_contenders_by_name():
    found = {
        c.name: c for c in gpu_contenders.chosen([*gpu_contenders.DEFAULT], "bf16")
    }
    assert list(found) == list(gpu_contenders.DEFAULT)
    assert {c.precision for c in found.values() if c.family != "chainer"} == {"bf16"}
    assert {c.precision for c in found.values() if c.family == "chainer"} == {"float32"}
    assert found["torch-graph"].create.captured
    assert [c.name for c in found.values() if c.compiles] == ["torch-compile"]
    assert found["chainer-gpu"].create.device == Device(0, cudnn=False)
    assert found["chainer-cudnn"].create.device == Device(0, cudnn=True)


def test_deviations_are_relative():
    truth = Truth(2.0, np.array([3.0, 4.0]))
    assert truth.deviations(2.2, np.array([3.0, 4.5])) == pytest.approx((0.1, 0.1))


# -- the scripts -----------------------------------------------------------


def run(scripts, name, *words):
    return subprocess.run(
        [sys.executable, scripts / name, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["gpu.py", "gpu_kernels.py"])
def test_without_a_card_a_line_says_why(scripts, name):
    reason = gpu.no_card()
    if reason is None:
        pytest.skip("there is a card")
    found = run(scripts, name)
    assert found.returncode == 0
    assert found.stderr == ""
    assert found.stdout == f"nothing is measured: {reason}\n"


@pytest.mark.parametrize("name", ["gpu.py", "gpu_kernels.py"])
def test_what_is_unknown_is_refused(scripts, name):
    for words in (["--networks", "nothing"], ["--precisions", "int8"]):
        found = run(scripts, name, *words)
        assert found.returncode != 0
        assert words[1] in found.stderr
        assert "Traceback" not in found.stderr


def test_references_need_a_folder(scripts, tmp_path):
    found = run(scripts, "gpu.py", "--only-references", "--sizes", 32)
    assert "--references FOLDER" in found.stderr
    words = ["--only-references", "--sizes", 32, "--references", tmp_path]
    found = run(scripts, "gpu.py", *words)
    assert found.returncode == 0, found.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["vgg16-32.npz"]


@pytest.mark.slow
def test_the_script_on_a_cpu(scripts, tmp_path):
    words = ["--on-cpu", "--networks", "nin", "--sizes", 70, "--precisions", "float32"]
    words += ["--rounds", 2, "--seconds", 0.05, "--results", tmp_path]
    found = run(scripts, "gpu.py", *words, "--contenders", "numpy", "chainer-gpu")
    assert found.returncode == 0, found.stderr
    assert "Engine numpy" in found.stdout
    race = races.load(tmp_path / "nin-70-float32.json")
    assert len(race.measured) == 2


# -- kernels ---------------------------------------------------------------


def test_kernels_of_an_iteration():
    launches = [("a", 0.0, 2.0), ("b", 1.0, 3.0), ("a", 5.0, 6.0), ("a", 5.2, 5.4)]
    found = gpu_kernels.summed(launches, 2)
    assert found["busy"] == pytest.approx(2.0)
    by_name = {own["name"]: own for own in found["kernels"]}
    assert by_name["a"]["launches"] == 1.5
    assert by_name["a"]["seconds"] == pytest.approx(1.6)
    assert by_name["b"]["seconds"] == pytest.approx(1.0)


def test_only_what_works_on_the_device_counts():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    kinds = torch.autograd.DeviceType

    def event(name, kind, **more):
        span = types.SimpleNamespace(start=1e6, end=3e6)
        return types.SimpleNamespace(
            name=name, device_type=kind, time_range=span, **more
        )

    events = [
        event("kernel", kinds.CUDA),
        event("host", kinds.CPU),
        event("Context Synchronize", kinds.CUDA),
        event("mark", kinds.CUDA, is_user_annotation=True),
    ]
    assert list(gpu_kernels.launches_of(events)) == [("kernel", 1.0, 3.0)]


def test_table_of_kernels(tmp_path):
    folder = cards.write(tmp_path, cards.traces())
    (trace,) = kernels.load(folder / kernels.FOLDER / "0.json")
    lines = list(gpu_kernels.table(trace, 1))
    words = [" ".join(line.split()) for line in lines]
    assert "convolutions 400.0 40.0 %" in words
    assert "between kernels 200.0 20.0 %" in words
    assert "an iteration 27 1000.0 100.0 %" in words
    assert words[-1].startswith("1.00 ms")
    assert not any("dgrad" in line for line in lines)


@pytest.mark.gpu
def test_meters_agree():
    import cupy

    before = gpu_memory.meter().card()
    kept = cupy.zeros(64 << 20, cupy.uint8)
    found = gpu_memory.meter()
    assert found.card() > 0
    assert gpu_memory.OfCuda().card() > 0
    assert found.card() >= before
    own = found.process(os.getpid())
    assert own is None or own >= kept.nbytes
    json.dumps(found.describe())


@pytest.mark.gpu
@pytest.mark.slow
def test_the_script_on_a_card(scripts, tmp_path):
    words = ["--quick", "--sizes", 128, "--results", tmp_path, "--contenders"]
    found = run(scripts, "gpu.py", *words, "torch-eager", "torch-graph", "chainer-gpu")
    assert found.returncode == 0, found.stderr
    race = races.load(tmp_path / "vgg16-128-tf32.json")
    assert len(race.measured) == 3, found.stdout
    found = run(
        scripts,
        "gpu_kernels.py",
        "--sizes",
        128,
        "--results",
        tmp_path / "kernels",
        "--contenders",
        "torch-graph",
    )
    assert found.returncode == 0, found.stderr
    (trace,) = kernels.load(tmp_path / "kernels" / "vgg16-128-tf32.json")
    assert kernels.FORTH in trace.groups, found.stdout
