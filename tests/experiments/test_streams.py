"""What is timed does the right thing, on all of its memory."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainer_style import provenance
from chainer_style.experiments import streams


@pytest.fixture(params=[1, 2, 3])
def bench(request, monkeypatch):
    monkeypatch.setattr(streams, "LEAST", 1 << 20)
    monkeypatch.setattr(streams, "last_cache", lambda: 1000)
    with streams.OnCpu(request.param) as bench:
        assert bench.length == (1 << 20) // 4
        yield bench


def fill(bench, random):
    for array in bench._arrays:
        array[:] = random.uniform(-1, 1, bench.length)


def arrays_of(action, kind):
    """The arrays that an action works on, by name."""
    found = [cell.cell_contents for cell in action.__closure__]
    return [value for value in found if isinstance(value, kind)]


def test_a_copy_copies_everything(bench, random):
    fill(bench, random)
    bench.stream("copy")()
    a, b, _ = bench._arrays
    np.testing.assert_array_equal(a, b)


def test_a_triad_adds_everything(bench, random):
    fill(bench, random)
    bench.stream("triad")()
    a, b, c = (array.astype(np.float64) for array in bench._arrays)
    np.testing.assert_allclose(a, b + 3 * c, rtol=0, atol=1e-6)


def test_a_triad_whose_length_is_no_multiple_of_its_block(monkeypatch, random):
    monkeypatch.setattr(streams, "BLOCK", 1000)
    monkeypatch.setattr(streams, "length", lambda *bytes_of: 12345)
    with streams.OnCpu(2) as bench:
        fill(bench, random)
        bench.stream("triad")()
        a, b, c = bench._arrays
        np.testing.assert_allclose(a, b + 3 * c, rtol=1e-5, atol=1e-6)


def test_a_product_is_one(bench):
    action = bench.product(40)
    a, b, c = arrays_of(action, np.ndarray)
    action()
    wanted = a.astype(np.float64) @ b.astype(np.float64)
    np.testing.assert_allclose(c, wanted, rtol=1e-5)


def test_as_many_threads_as_asked_for(bench):
    from threadpoolctl import threadpool_info

    pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
    assert {pool["num_threads"] for pool in pools} == {bench.threads}
    seen = set()
    barrier = threading.Barrier(bench.threads)

    def work(part):
        barrier.wait(10)  # so that no thread takes two parts
        seen.add(threading.get_ident())

    bench._shared(work)
    assert len(seen) == bench.threads


def test_the_users_number_of_threads_comes_back():
    before = provenance.blas()
    with streams.OnCpu(1):
        pass
    assert provenance.blas() == before


def test_time_passes(bench):
    event = threading.Event()
    assert bench.timed(lambda: event.wait(0.02)) >= 0.02


@given(
    st.one_of(st.none(), st.integers(1 << 20, 1 << 50)),
    st.one_of(st.none(), st.integers(0, 1 << 34)),
    st.integers(4, 1 << 30),
)
def test_length(memory, cache, least):
    count = streams.FLOAT * streams.length(memory, cache, least)
    if memory:
        assert count <= memory / streams.SHARE
    if not memory or count < memory // streams.SHARE - streams.FLOAT:
        assert count > max(least, streams.TIMES_THE_CACHE * (cache or 0)) - 4


def test_last_cache(tmp_path, monkeypatch):
    """Two sockets of two processors: the last caches together."""
    monkeypatch.setattr(streams, "CACHES", tmp_path)
    assert streams.last_cache() is None
    for cpu in range(4):
        for index, (level, size, shared) in enumerate(
            [(1, "32K", f"{cpu}"), (2, "1M", f"{cpu}"), (3, "16M", f"{cpu // 2}")]
        ):
            folder = tmp_path / f"cpu{cpu}" / "cache" / f"index{index}"
            folder.mkdir(parents=True)
            (folder / "level").write_text(f"{level}\n")
            (folder / "size").write_text(f"{size}\n")
            (folder / "shared_cpu_list").write_text(f"{shared}\n")
    (tmp_path / "cpu3" / "cache" / "index2" / "size").write_text("unknown\n")
    assert streams.last_cache() == 2 * 16 << 20


BOUNDS = {"float32": 1e-5, "tf32": 4e-3, "fp16": 2e-3, "bf16": 2e-2}


@pytest.mark.gpu
@pytest.mark.parametrize("precision", streams.ON_GPU)
def test_on_a_gpu(monkeypatch, precision):

    monkeypatch.setattr(streams, "LEAST_ON_GPU", 1 << 20)
    with streams.OnGpu(precision) as bench:
        a, b = bench._arrays[:2]
        b *= 2
        assert bench.timed(bench.stream("copy")) > 0
        assert (a == 2).all()
        bench.stream("triad")()
        assert (a == 5).all()
        action = bench.product(64)
        action()
        found = {name: value.get() for name, value in variables_of(action).items()}
        a, b, c = (read(found[name], precision) for name in "abc")
        np.testing.assert_allclose(c, a @ b, rtol=BOUNDS[precision])


def variables_of(action):
    """Return the arrays on the device that a function keeps, by name."""
    import cupy

    cells = zip(action.__code__.co_freevars, action.__closure__, strict=True)
    found = {name: cell.cell_contents for name, cell in cells}
    return {n: value for n, value in found.items() if isinstance(value, cupy.ndarray)}


def read(array, precision):
    """Return an array of a precision in double precision."""
    if precision == "bf16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float64)
