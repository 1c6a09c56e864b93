"""The kernels' source: what is read off it, and what one thread alone does not show."""

from __future__ import annotations

import ctypes
import functools
import re

import host_machine
import numpy as np
import pytest

from chainer_style.engines.cuda import kernels

SUMS = """
extern "C" void sums(unsigned blocks, const float *given, int count, float *partial) {
  run(blocks, [=] {
    float total = 0;
    EACH(i, count) total += given[i];
    add_up(total, partial);
  });
}
"""


@functools.cache
def library():
    text = "\n".join([host_machine.header(), kernels.source(kernels.FILES), SUMS])
    return host_machine.compiled(text, 32, 64)


@pytest.mark.skipif(host_machine.COMPILER is None, reason=host_machine.MISSING)
@pytest.mark.parametrize("count", [1, 100, 1000])
def test_a_block_adds_up_what_its_threads_have(count):
    values = np.random.RandomState(0).rand(count).astype(np.float32)
    partial = np.full(3, np.nan, np.float32)
    library().sums(
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


def test_what_launches_say_of_gram_kernels_is_what_these_take():
    """The processor has room enough for all, and would not tell."""
    source = kernels.source()
    ahead = re.search(r"enum \{ AHEAD = (\d+), STAGES = AHEAD \+ 1 \}", source)
    assert int(ahead[1]) + 1 == kernels.STAGES
    sets = dict(re.findall(r"diagonal<(\d+), (\d+)>\(sums", source))
    assert {int(c): int(warps) for c, warps in sets.items()} == kernels.GRAMS
    side = re.search(r"enum \{ SIDE = (\d+), PITCH = SIDE \+ 1 \}", source)
    assert int(side[1]) == kernels.SIDE
    (parts,) = re.findall(r"enum \{ COUNT = (\d+) \}", source)
    last = max(map(int, re.findall(r"part_of_block\((\d+)\)", source)))
    assert max(int(parts), last + 1) == kernels.PARTS
