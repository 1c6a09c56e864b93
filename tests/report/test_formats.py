from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainer_style.report import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123, "0.0123"),
        (0.938, "0.938"),
        (1, "1.00"),
        (9.996, "10.00"),
        (31.44, "31.4"),
        (285.74, "286"),
        (12345.6, "12346"),
        (0, "0"),
    ],
)
def test_plain(value: float, text: str) -> None:
    assert formats.plain(value) == text


@given(st.floats(1e-6, 1e9))
def test_plain_keeps_three_digits(value: float) -> None:
    assert float(formats.plain(value)) == pytest.approx(value, rel=5.01e-3)


@given(st.floats(0.01, 1e6), st.booleans())
def test_iterations_mark_what_was_not_counted(value: float, counted: bool) -> None:
    assert ("≈" in formats.iterations(value, counted)) is not counted
    assert ("≈" in formats.ratio(value, counted)) is not counted


def test_clock_of_the_papers_runs() -> None:
    assert formats.clock(4900 / 980) == "5:00"
    assert formats.clock(4900 / 721.86) == "6:47"
    assert formats.clock(59.999) == "60:00"


def test_span_and_listing() -> None:
    assert formats.span([2.0, 1.0, 3.0]) == "1.00 to 3.00"
    assert formats.span([2.0, 2.001]) == "2.00"
    assert formats.listing([]) == ""
    assert formats.listing(["a"]) == "a"
    assert formats.listing(["a", "b", "c"]) == "a, b and c"


def test_units() -> None:
    assert formats.milliseconds(0.0123) == "12.3"
    assert formats.mebibytes(5302 * 2**20) == "5\u202f302\xa0MiB"
    assert formats.gibibytes(8 << 30) == "8.0 GiB"
