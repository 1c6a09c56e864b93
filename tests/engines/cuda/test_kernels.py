"""The kernels' source: what is read off it, and what one thread alone does not show."""

from __future__ import annotations

import ctypes
import subprocess

import host_machine
import numpy as np
import pytest

from chainer_style.engines.cuda import kernels

THREADS = """
#include <barrier>
#include <cmath>
#include <thread>
#include <vector>
#define __device__
#define __global__
#define __shared__ static
#define __launch_bounds__(threads)
struct Index { unsigned x; };
static thread_local Index blockIdx, threadIdx, blockDim, gridDim;
static std::barrier<> *all;
static void __syncthreads() { all->arrive_and_wait(); }
"""

SUMS = """
extern "C" void sums(unsigned blocks, const float *given, int count, float *partial) {
  for (unsigned b = 0; b < blocks; ++b) {
    std::barrier<> together(THREADS);
    all = &together;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < THREADS; ++t)
      threads.emplace_back([=] {
        blockIdx.x = b; threadIdx.x = t; gridDim.x = blocks; blockDim.x = THREADS;
        float total = 0;
        EACH(i, count) total += given[i];
        add_up(total, partial);
      });
    for (auto &thread : threads) thread.join();
  }
}
"""


@pytest.mark.skipif(host_machine.COMPILER is None, reason=host_machine.MISSING)
@pytest.mark.parametrize("count", [1, 100, 1000])
def test_a_block_adds_up_what_its_threads_have(tmp_path, count):
    text = "\n".join([THREADS, kernels.source(), SUMS])
    (tmp_path / "sums.cpp").write_text(text)
    made = tmp_path / "sums.so"
    flags = ["-O1", "-std=c++20", "-shared", "-fPIC", "-pthread"]
    flags += ["-DFEATURE=32", "-DTHREADS=64", "-w"]
    command = [host_machine.COMPILER, *flags, "-o", made, tmp_path / "sums.cpp"]
    subprocess.run(command, check=True)
    values = np.random.RandomState(0).rand(count).astype(np.float32)
    partial = np.full(3, np.nan, np.float32)
    ctypes.CDLL(str(made)).sums(
        3,
        ctypes.c_void_p(values.ctypes.data),
        count,
        ctypes.c_void_p(partial.ctypes.data),
    )
    assert partial.sum() == pytest.approx(values.sum(), rel=1e-5)
    # Threads take turns, 64 of each block.
    owner = np.arange(count) // 64 % 3
    expected = [values[owner == block].sum() for block in range(3)]
    np.testing.assert_allclose(partial, expected, rtol=1e-5)


def test_signatures_are_read_from_the_source():
    found = kernels.signatures()
    assert found["rectify"] == ("address", "address", "wide")
    assert found["complete"] == (*["address"] * 4, "wide", "float", "int")
    assert kernels.source().count("__global__") == len(found)
    assert kernels.THREADS & (kernels.THREADS - 1) == 0  # halved until one is left
