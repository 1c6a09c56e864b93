from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import platformdirs
import pytest

from chainer_style import files, networks, provenance, transfer, weights
from chainer_style.networks import Network
from chainer_style.weights import cache, layerwise, selftaught, store
from chainer_style.weights.collection import Weights

PART = networks.VGG16.upto("conv1_2")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is learned matters less here than when."""
    for name, value in (("DIMENSIONS", 64), ("AXES", 32), ("ROUNDS", 1)):
        monkeypatch.setattr(selftaught, name, value)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(files.CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "self-taught"


@pytest.fixture
def two(random) -> list[np.ndarray]:
    shapes = (1, 3, 12, 14), (1, 3, 13, 12)
    return [random.uniform(-100, 100, shape).astype(np.float32) for shape in shapes]


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[Weights]:
    """What was really learned, one after the other."""
    found: list[Weights] = []

    @functools.wraps(selftaught.learn)
    def learn(*given):
        found.append(plain(*given))
        return found[-1]

    plain = selftaught.learn
    monkeypatch.setattr(selftaught, "learn", learn)
    return found


def same(one: Weights, two: Weights) -> bool:
    """Bit by bit, in the same order and layout."""
    arrays = [
        [(layer, key, a.dtype, a.strides, a.tobytes()) for key, a in sorted(x.items())]
        for weights in (one, two)
        for layer, x in weights.arrays.items()
    ]
    half = len(arrays) // 2
    return arrays[:half] == arrays[half:] and one.as_record() == two.as_record()


def entries(home: Path) -> list[Path]:
    return sorted(home.iterdir())


def test_the_second_time_they_are_read(home: Path, two, learned) -> None:
    def watch(nodes):
        watched.append(nodes)
        return nodes

    watched: list[object] = []
    first, again = (cache.self_taught(PART, two, 3, watch) for _ in range(2))
    assert len(learned) == len(watched) == 1
    assert again is not first
    assert same(first, again)
    assert again.label == "self-taught weights (no labels, learned from these pictures)"
    assert again.sha256 == selftaught.describe(PART, two, 3).sha256
    (entry,) = entries(home)
    assert same(store.load(entry, PART), learned[0])


def test_whoever_asks(home: Path, pictures, learned) -> None:
    jobs = [transfer.prepare(*pictures, width=16) for _ in range(2)]
    assert len(learned) == 1
    results = []
    for job in jobs:
        *_, last = job.run(2)
        results.append((last.array.tobytes(), last.losses.total))
    assert results[0] == results[1]
    given = (jobs[0].problem.content, jobs[0].problem.style)
    assert same(weights.load("self-taught", jobs[0].problem.network, given), learned[0])
    assert len(learned) == 1
    transfer.prepare(*pictures, width=16, weights="self-taught:1")
    assert len(learned) == 2


def variants(two: list[np.ndarray]) -> dict[str, tuple[Network, list[np.ndarray], int]]:
    changed = [two[0].copy(), two[1]]
    changed[0][0, 0, 0, 0] = np.nextafter(changed[0][0, 0, 0, 0], np.float32(1000))
    deeper = networks.VGG16.upto("conv2_1")
    tapped = dataclasses.replace(PART, taps=(networks.Tap("a", "conv1_1", 0, 1),))
    return {
        "plain": (PART, two, 0),
        "seed": (PART, two, 1),
        "one bit": (PART, changed, 0),
        "order": (PART, two[::-1], 0),
        "another shape": (PART, [two[0].reshape(1, 3, 14, 12), two[1]], 0),
        "another name": (dataclasses.replace(PART, name="other"), two, 0),
        "taps": (tapped, two, 0),
        "max": (deeper.with_pooling("max", "floor"), two, 0),
        "average": (deeper.with_pooling("average", "floor"), two, 0),
        "ceil": (deeper.with_pooling("average", "ceil"), two, 0),
    }


def test_all_that_they_depend_on_is_in_the_name(two) -> None:
    def key(network, pictures, seed):
        return cache._key(network, selftaught.describe(network, pictures, seed))

    keys = [key(*given) for given in variants(two).values()]
    assert len(set(keys)) == len(keys)
    assert keys == [key(*given) for given in variants(two).values()]


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (selftaught, "PATCHES", 8001),
        (selftaught, "DIMENSIONS", 641),
        (selftaught, "AXES", 255),
        (selftaught, "SOFTNESS", 0.31),
        (selftaught, "ROUNDS", 9),
        (layerwise, "DEVIATION", 11.0),
        (layerwise, "SHALLOW_DEVIATION", 41.0),
        (inspect, "getsource", lambda module: module.__name__),
        (provenance, "blas", list),
        (provenance, "cpu_model", lambda: "another"),
        (np, "__version__", "3.0"),
    ],
)
def test_another_recipe_reads_nothing_old(two, monkeypatch, owner, name, value) -> None:
    about = selftaught.describe(PART, two)
    before = cache._key(PART, about)
    assert before == cache._key(PART, about)
    monkeypatch.setattr(owner, name, value)
    assert cache._key(PART, about) != before


def test_another_process_finds_it() -> None:
    """Nothing in the name is a matter of chance, such as the order of a set."""
    code = (
        "from chainer_style import networks\n"
        "from chainer_style.weights import cache, selftaught\n"
        "part = networks.VGG16.upto('conv1_2')\n"
        "print(cache._key(part, selftaught.describe(part, [])))"
    )
    words = [sys.executable, "-c", code]
    keys = [
        subprocess.run(words, capture_output=True, text=True, check=True).stdout
        for _ in range(4)
    ]
    assert len(set(keys)) == 1


def test_installed_without_its_sources(two, monkeypatch) -> None:
    def refuse(module):
        raise OSError("source code not available")

    monkeypatch.setattr(inspect, "getsource", refuse)
    assert cache._key(PART, selftaught.describe(PART, two))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)


def lie(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs.modify("seed", np.int64(4))


def drop_a_layer(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["conv1_2"]


def swap_for_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").touch()


@pytest.mark.parametrize(
    "harm",
    [
        flip,
        lie,
        drop_a_layer,
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("nothing"),
        lambda path: path.unlink(),
        lambda path: store.save(Weights("nin", "seeded", {}, "x"), path),
        swap_for_a_folder,
    ],
)
def test_what_is_damaged_is_learned_again(home: Path, two, learned, harm) -> None:
    first = cache.self_taught(PART, two)
    (entry,) = entries(home)
    harm(entry)
    assert same(first, cache.self_taught(PART, two))
    assert len(learned) == 2
    assert same(first, cache.self_taught(PART, two))
    assert len(learned) == 2 + (harm is swap_for_a_folder)
    assert entries(home) == [entry]


@pytest.mark.parametrize("name", ["file", "file/below", "/dev/null", "/proc/cache"])
def test_a_folder_that_cannot_be(tmp_path, monkeypatch, two, learned, name) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(files.CACHE, str(tmp_path / name))
    assert same(*(cache.self_taught(PART, two) for _ in range(2)))
    assert len(learned) == 2
    assert not (tmp_path / "file").stat().st_size


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_folder_that_is_closed(home: Path, two, learned, mode) -> None:
    first = cache.self_taught(PART, two)
    (entry,) = entries(home)
    entry.chmod(0o400)
    home.chmod(mode)
    try:
        found = [cache.self_taught(PART, two, seed) for seed in (0, 1)]
    finally:
        home.chmod(0o700)
    assert same(first, found[0])
    assert found[1].seed == 1


def test_a_disk_that_is_full(home: Path, two, monkeypatch) -> None:
    def fill(weights, path):
        path.write_bytes(b"x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_write", fill)
    assert cache.self_taught(PART, two).kind == "self-taught"
    assert entries(home) == []


def test_what_was_used_longest_ago_goes_first(
    home: Path, two, learned, monkeypatch
) -> None:
    names = {}
    for seed in range(3):
        before = set(entries(home)) if seed else set()
        cache.self_taught(PART, two, seed)
        (names[seed],) = set(entries(home)) - before
        os.utime(names[seed], (seed, seed))
    others = [home / "mine.h5", home / "notes.txt", home.parent / "0.h5"]
    for path in others:
        path.write_bytes(bytes(10**6))
        os.utime(path, (0, 0))
    left = home / f".{'a' * 64}.123.h5"  # of a process that was killed
    left.touch()
    os.utime(left, (0, 0))

    monkeypatch.setattr(cache, "LARGEST", 2.5 * names[0].stat().st_size)
    cache.self_taught(PART, two, 0)  # used again, and so the latest
    cache.self_taught(PART, two, 7)
    assert len(learned) == 4
    kept = {path.name for path in entries(home)}
    assert names[0].name in kept
    assert not kept & {names[1].name, names[2].name, left.name}
    assert len(kept) == 2 + 2
    assert all(path.exists() for path in others)

    monkeypatch.setattr(cache, "LARGEST", 1)
    cache.self_taught(PART, two, 8)
    assert entries(home) == sorted(others[:2])


def test_where_it_is(monkeypatch) -> None:
    monkeypatch.setenv(files.CACHE, "~/somewhere")
    assert cache.home() == Path.home() / "somewhere" / "self-taught"
    monkeypatch.setenv(files.CACHE, "")
    user = platformdirs.user_cache_path("chainer-style", appauthor=False)
    assert cache.home() == user / "self-taught"
