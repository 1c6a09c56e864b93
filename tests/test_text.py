from __future__ import annotations

import pytest

from chainer_style import text


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0.0 MB"), (58889256, "58.9 MB"), (999_000_000, "999.0 MB"), (2e9, "2.0 GB")],
)
def test_size(count, words):
    assert text.size(count) == words


def test_words_begin_and_numbers_end_in_line():
    rows = [("name", "bytes"), ("a", "1,000"), ("conv1_1", "7")]
    assert list(text.aligned(rows, 1)) == [
        "name     bytes",
        "a        1,000",
        "conv1_1      7",
    ]
    assert list(text.aligned(rows))[2] == "conv1_1  7"
