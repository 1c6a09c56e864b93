from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainer_style.cli.kinds import MEMORY, SIZE, UNITS


@given(st.integers(0, 10**6), st.sampled_from(list(UNITS)), st.booleans())
def test_amounts_of_memory(count, unit, spaced):
    for word in (unit, unit.lower(), unit.upper()):
        text = f"{count}{' ' * spaced}{word}"
        assert MEMORY.convert(text, None, None) == count * UNITS[unit]


@pytest.mark.parametrize(
    ("text", "count"),
    [("2GiB", 2**31), ("1.5 GB", 1.5e9), (".5k", 512), ("800M", 800 * 2**20), (7, 7)],
)
def test_written_out(text, count):
    assert MEMORY.convert(text, None, None) == count


@given(st.text(max_size=12))
def test_any_text_is_an_amount_or_refused(text):
    told = ""
    try:
        count = MEMORY.convert(text, None, None)
    except click.BadParameter as error:
        count, told = -1, error.message
    assert (count >= 0) != ("write 2GiB" in told)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_sizes(width, height):
    for sign in "x×":
        assert SIZE.convert(f" {width}{sign}{height}", None, None) == (width, height)
    assert SIZE.convert(str(width), None, None) == (width, width)
    assert SIZE.convert((width, height), None, None) == (width, height)


@pytest.mark.parametrize("text", ["", "0", "0x9", "9x0", "-4", "4x", "1.5x2", "8K"])
def test_what_is_no_size(text):
    with pytest.raises(click.BadParameter, match="write 1024 or 7680x4320"):
        SIZE.convert(text, None, None)
