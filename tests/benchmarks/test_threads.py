from __future__ import annotations

import pytest
import threads
from measuring import Cell

from chainer_style.errors import UserError
from chainer_style.report.scaling import Row


def test_a_cell():
    cells = [Cell("vgg16", 32, count) for count in (1, 2)]
    rows = [Row(**row) for row in threads.measure(cells, "seeded", 3, 0.01)]
    assert [row.threads for row in rows] == [1, 2]
    assert all(len(row.turns) == 3 and min(row.turns) > 0 for row in rows)
    lines = list(threads.table(rows))
    assert lines[1].startswith("VGG-16, one thread, 32 px")
    assert lines[2].startswith("VGG-16, 2 threads, 32 px")


def test_what_is_too_small_is_named():
    with pytest.raises(UserError, match="NIN needs a picture of at least 67"):
        threads.measure([Cell("nin", 64, 1)], "seeded", 1, 0.01)
