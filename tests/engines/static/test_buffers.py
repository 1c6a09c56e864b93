from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chainer_style.engines.static.buffers import Scratch, nbytes, share

lives = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 6), st.integers(1, 5)), max_size=12
)


@given(lives)
def test_what_lives_at_once_shares_nothing(lives):
    lifetimes = {str(i): (a, a + n) for i, (a, n, _) in enumerate(lives)}
    shapes = {str(i): (size, 2) for i, (*_, size) in enumerate(lives)}
    arrays = share(lifetimes, shapes, np.dtype(np.float32))
    assert {name: array.shape for name, array in arrays.items()} == shapes
    for one, array in arrays.items():
        for other in arrays:
            a, b = lifetimes[one], lifetimes[other]
            if one != other and a[0] <= b[1] and b[0] <= a[1]:
                assert not np.shares_memory(array, arrays[other])
    most = max(
        (
            sum(
                arrays[name].nbytes
                for name, (first, last) in lifetimes.items()
                if first <= moment <= last
            )
            for moment in range(28)
        ),
        default=0,
    )
    assert most <= nbytes(arrays.values()) <= sum(a.nbytes for a in arrays.values())


def test_arrays_that_follow_each_other_take_the_memory_of_one():
    lifetimes = {"a": (0, 1), "b": (2, 3), "c": (4, 5)}
    arrays = share(lifetimes, dict.fromkeys(lifetimes, (10,)), np.dtype(float))
    assert nbytes(arrays.values()) == 80


def test_a_place_is_as_large_as_its_largest_array():
    scratch = Scratch(np.dtype(float))
    scratch.reserve("here", (3, 4))
    scratch.reserve("here", (2, 2))
    large = scratch.array("here", (3, 4))
    assert np.shares_memory(large, scratch.array("here", (2, 2)))
