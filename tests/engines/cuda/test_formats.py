"""Features of few bits are rounded as the kernels round them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainer_style.engines.cuda.formats import FORMATS

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(floats)
def test_bfloat16_is_the_nearest(value):
    form = FORMATS["bf16"]
    exact = np.array([value], np.float32)
    (bits,) = form.encode(exact).astype(int)
    near = np.array([bits - 1, bits, bits + 1]) & 0xFFFF
    with np.errstate(invalid="ignore"):  # a neighbour may be no number
        decoded = form.decode(near.astype(np.uint16)).astype(float)
    finite = np.isfinite(decoded)
    if finite[1]:
        distance = np.abs(decoded - float(exact[0]))
        assert distance[1] == distance[finite].min()


@given(st.lists(floats, min_size=1, max_size=8))
def test_nothing_is_lost_of_float32(values):
    array = np.array(values, np.float32)
    for name in ("float32", "tf32"):
        form = FORMATS[name]
        np.testing.assert_array_equal(form.decode(form.encode(array)), array)


@given(floats)
def test_what_fp16_cannot_hold_is_infinite(value):
    form = FORMATS["fp16"]
    (found,) = form.decode(form.encode(np.array([value], np.float32)))
    if abs(value) < 65504:
        assert found == pytest.approx(value, rel=2**-11, abs=2**-25)
    elif abs(value) >= 65520:
        assert np.isinf(found)


@pytest.mark.parametrize("name", FORMATS)
def test_dtypes_have_its_bytes(name):
    form = FORMATS[name]
    assert form.dtype.itemsize == form.bytes
    assert form.encode(np.zeros(3)).dtype == form.dtype
