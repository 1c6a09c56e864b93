from __future__ import annotations

import mmap
import subprocess
import sys

import numpy as np
import pytest

from chainer_style import memory

HELD = 10**9

PARENT = """
import multiprocessing, sys
import numpy as np
from chainer_style import memory
from chainer_style.experiments import child
from chainer_style.experiments.rates import Rates
from chainer_style.paper import Cell
from pathlib import Path

held = np.ones(int(sys.argv[1]), np.uint8)
content, style, folder = map(Path, sys.argv[2:])
cell = Cell("vgg16", 16, "CPU")
rates = Rates((cell,), 0.1, content, style, "seeded")
record = child.measure(rates, cell, folder, lambda *_: None)
print(memory.peak(), record.peak_memory_bytes)
"""


def test_what_a_parent_holds_is_not_its_childs(pictures, tmp_path):
    words = [sys.executable, "-c", PARENT, str(HELD), *map(str, pictures)]
    words.append(str(tmp_path))
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    parent, child = map(int, done.stdout.split())
    assert parent > HELD
    assert 50e6 < child < 0.7 * HELD


def test_peak():
    before = memory.peak()
    held = np.ones(before + 10**8, np.uint8)
    high = memory.peak()
    assert high > len(held)
    del held
    # Linux counts pages per thread, and adds them up now and then.
    assert memory.peak() > 0.98 * high


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can forget a peak")
def test_forget_peak():
    held = np.ones(3 * 10**8, np.uint8)
    high = memory.peak()
    del held
    memory.forget_peak()
    assert memory.peak() < high - 2 * 10**8


@pytest.mark.parametrize("status", [None, "Name: x\n", "VmHWM:\tmuch kB\n"])
def test_without_proc(status, monkeypatch, tmp_path):
    """What the system counts for the whole process, which may be its parent's."""
    least = memory.peak()
    monkeypatch.setattr(memory, "PROCESS", tmp_path / "proc")
    if status is not None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc" / "status").write_text(status)
    assert memory.peak() >= 0.9 * least


LIMITED = """
import numpy as np
from chainer_style import memory

memory.return_at_once()
before = memory.address_space()
memory.limit(300 * 2**20)
held = np.ones(200 * 2**20, np.uint8)
assert 200 * 2**20 <= memory.address_space() - before < 250 * 2**20
try:
    np.ones(200 * 2**20, np.uint8)
except MemoryError:
    del held
    np.ones(200 * 2**20, np.uint8)
    print("limited")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells addresses")
def test_limit():
    words = [sys.executable, "-c", LIMITED]
    assert subprocess.run(words, capture_output=True, check=True).stdout == b"limited\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
def test_resident_and_available():
    memory.trim()  # or what other tests freed would be used again
    before, there = memory.resident(), memory.available()
    held = np.ones(10**8, np.uint8)
    assert memory.resident() - before == pytest.approx(len(held), rel=0.1)
    assert there > 0


def test_what_nobody_tells(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "PROCESS", tmp_path)
    monkeypatch.setattr(memory, "MEMORY", tmp_path / "meminfo")
    assert memory.resident() == memory.address_space() == 0
    assert memory.available() is None
    with pytest.raises(OSError, match="not known"):
        memory.limit(1)


SIZES = [1, 100, memory.LARGE - 1, memory.LARGE, 3 * memory.LARGE + 5]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_zeros(size, known, monkeypatch):
    if not known:
        monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    found = memory.zeros(size)
    assert found.shape == (size,)
    assert found.dtype == np.uint8
    assert found.ctypes.data % memory.LINE == 0
    assert not found.any()
    found[:] = 255
    assert found.all()


def test_zeros_of_a_shape():
    found = memory.zeros((2, 5, 3), np.float64)
    assert found.shape == (2, 5, 3)
    assert found.dtype == np.float64
    assert memory.zeros((4, 0), np.float32).shape == (4, 0)


@pytest.mark.skipif(
    not hasattr(mmap, "MADV_HUGEPAGE"), reason="this system has no large pages to ask"
)
def test_zeros_asks_for_large_pages():
    found = memory.zeros(memory.LARGE)
    start = found.ctypes.data
    assert start % memory.LARGE == 0
    flags: list[str] = []
    within = False
    for line in (memory.PROCESS / "smaps").read_text().splitlines():
        name, _, rest = line.partition(" ")
        if "-" in name:
            first, last = (int(end, 16) for end in name.split("-"))
            within = first <= start < last
        elif within and name == "VmFlags:":
            flags = rest.split()
    assert "hg" in flags


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
def test_zeros_take_no_more_than_they_are():
    sizes = [3 * memory.LARGE + 4096] * 32
    memory.trim()
    addresses, before = memory.address_space(), memory.resident()
    found = [memory.zeros(size) for size in sizes]
    for part in found:
        part[:] = 1
    assert memory.resident() - before == pytest.approx(sum(sizes), rel=0.01)
    taken = memory.address_space() - addresses
    assert sum(sizes) <= taken < sum(sizes) + len(sizes) * memory.LARGE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells addresses")
def test_zeros_go_back_at_once():
    before = memory.address_space()
    found = memory.zeros(10**8)
    part = found[10:20]
    assert memory.address_space() >= before + 10**8
    del found
    assert memory.address_space() >= before + 10**8
    del part
    assert memory.address_space() < before + 10**7


def test_more_zeros_than_there_is():
    with pytest.raises(MemoryError, match=str(1 << 60)):
        memory.zeros(1 << 60)


@pytest.mark.parametrize("rows", [3, 900])
def test_copied(rows):
    array = np.arange(rows * 700 * 2.0).reshape(rows, 700, 2).swapaxes(0, 1)
    found = memory.copied(array)
    assert found.flags.c_contiguous
    assert not np.shares_memory(found, array)
    np.testing.assert_array_equal(found, array)
