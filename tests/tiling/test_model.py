from __future__ import annotations

import pytest

from chainer_style import protocols, transfer
from chainer_style.errors import UserError
from chainer_style.tiling.model import Link, Model

PROTOCOL = protocols.get("2016").with_options(model="vgg16")
FAST = Link(bandwidth=1e15, latency=0)


def model(height, width):
    return Model(transfer.network_for(PROTOCOL), height, width, side=4096)


def test_ranks_share_the_work_but_for_the_margins():
    found = model(2048, 1024)
    shares = [found.share(count) * count for count in (1, 2, 4, 8)]
    assert shares[0] == 1
    assert shares == sorted(shares)
    assert 1.01 < shares[1] < 1.1
    assert shares[3] < 1.5
    assert found.seconds(8.0, 2, FAST) == pytest.approx(4 * shares[1])


def test_what_is_sent_takes_time():
    found = model(1024, 1024)
    assert found.sent(1) == 0
    # Of rank 1 of 2: 42 rows up, of the gradient, and as many of the picture.
    margins = 2 * 42 * 1024 * 3 * 4
    matrices = 64**2 + 128**2 + 256**2 + 512**2
    assert found.sent(2) == margins + 8 * matrices
    slow = Link(bandwidth=1e6, latency=0.01)
    more = found.seconds(10.0, 2, slow) - found.seconds(10.0, 2, FAST)
    assert more == pytest.approx(found.sent(2) / 1e6 + 8 * 0.01, rel=1e-6)


def test_too_many_ranks_are_no_prediction():
    found = model(256, 256)
    with pytest.raises(UserError, match="too many"):
        found.share(8)
    assert found.seconds(1.0, 8, FAST) is None
