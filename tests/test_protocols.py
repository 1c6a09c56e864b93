from __future__ import annotations

import pytest

from chainer_style import protocols
from chainer_style.errors import UserError


def test_2016_is_the_argparse_of_4aaa123():
    old = protocols.get("2016")
    assert (old.model, old.width, old.iterations) == ("nin", 435, 5000)
    assert (old.learning_rate, old.content_weight, old.init) == (4.0, 0.005, "noise")
    assert old.square
    assert old.resample == "nearest"
    assert old.mean == 120
    assert (old.pooling, old.pooling_rounding) == ("average", "floor")
    assert old.chainer_normalisation
    assert old.weight_gradients
    assert old.zero_weight_terms
    assert old.pixelwise_clip
    assert not (old.tv_weight)
    assert not (old.orient)
    assert not (old.matte)
    assert not (old.relative_losses)
    assert not (old.equal_taps)


def test_options_replace_only_what_is_given():
    changed = protocols.get("2016").with_options(width=64, iterations=None)
    assert (changed.width, changed.iterations) == (64, 5000)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 0),
        ("width", -3),
        ("iterations", 0),
        ("learning_rate", -1.0),
        ("learning_rate", float("nan")),
        ("content_weight", float("inf")),
        ("tv_weight", -0.1),
        ("snapshot_every", -1),
    ],
)
def test_values_out_of_range_are_named(field, value):
    with pytest.raises(UserError, match=field.replace("_", " ")):
        protocols.get("modern").with_options(**{field: value})


def test_unknown_pooling():
    with pytest.raises(
        UserError, match=r"^unknown pooling 'L2'; choose one of: average, max, l2$"
    ):
        protocols.get("modern").with_options(pooling="L2")


def test_the_clip_by_pixel_needs_one_mean():
    with pytest.raises(UserError, match="clip by pixel"):
        protocols.get("modern").with_options(pixelwise_clip=True)


def test_unknown_protocol():
    with pytest.raises(UserError, match=r"unknown protocol '2015'.*2016, modern"):
        protocols.get("2015")
