from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chainer_style.engines.arena import LINE, Buffer, arrange


@st.composite
def some_buffers(draw):
    count = draw(st.integers(0, 12))
    found = []
    for i in range(count):
        first = draw(st.integers(0, 20))
        last = draw(st.integers(first, 20))
        found.append(Buffer(f"b{i}", draw(st.integers(1, 1000)), first, last))
    return found


@given(some_buffers())
def test_buffers_in_use_at_once_do_not_overlap(buffers):
    arena = arrange(buffers)
    for i, one in enumerate(buffers):
        start = arena.places[one.name]
        assert start % LINE == 0
        assert start + one.size <= arena.size
        for other in buffers[:i]:
            if one.meets(other):
                there = arena.places[other.name]
                assert start + one.size <= there or there + other.size <= start


@given(some_buffers())
def test_it_is_not_smaller_than_what_is_in_use_at_once(buffers):
    needed = [
        sum(b.size for b in buffers if b.first <= moment <= b.last)
        for moment in range(21)
    ]
    arena = arrange(buffers)
    assert max(needed) <= arena.size <= sum(b.size + LINE for b in buffers)


def test_memory_is_used_again():
    buffers = [Buffer(f"b{i}", 1000, i, i + 1) for i in range(10)]
    assert arrange(buffers).size < 2200
