from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainer_style.networks import Shape
from chainer_style.networks.nodes import LRN, Concat, Conv, Pool


def test_concat_adds_channels():
    node = Concat("c", ("a", "b"))
    assert node.output_shape([Shape(2, 5, 6), Shape(3, 5, 6)]) == (5, 5, 6)
    with pytest.raises(ValueError, match="c: cannot concatenate 2×5×6, 2×5×7"):
        node.output_shape([Shape(2, 5, 6), Shape(2, 5, 7)])


def test_groups_divide_the_arithmetic():
    shape = Shape(48, 13, 14)
    one, four = (
        Conv("c", ("d",), channels=96, kernel=3, pad=1, groups=g) for g in (1, 4)
    )
    assert one.flops([shape]) == 2 * 96 * 13 * 14 * 48 * 9 == 4 * four.flops([shape])
    assert LRN("n", ("c",)).flops([shape]) == 0


@given(
    length=st.integers(1, 40),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    pad=st.integers(0, 2),
    rounding=st.sampled_from(["floor", "ceil"]),
)
def test_pooling_extent_counts_windows(length, kernel, stride, pad, rounding):
    """Count the windows one by one, as Caffe and Chainer define them."""
    if pad >= kernel:
        return
    starts = range(-pad, length + pad, stride)
    if rounding == "floor":
        count = sum(start + kernel <= length + pad for start in starts)
    else:
        # A window is needed while the one before does not reach the end ...
        count, start = 1, -pad
        while start + kernel < length + pad:
            start += stride
            count += 1
        # ... and, with padding, not where it starts beyond the picture.
        if pad and start >= length:
            count -= 1
        if length + 2 * pad < kernel and stride <= kernel - length - 2 * pad:
            return  # Caffe's own formula gives no window here; nobody pools so.
    node = Pool("p", ("data",), kernel, stride, pad, rounding=rounding)
    assert node.output_shape([Shape(1, length, length)]).height == count
