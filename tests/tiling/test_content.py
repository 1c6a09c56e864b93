from __future__ import annotations

import numpy as np
import pytest

from chainer_style.tiling.content import Content, ContentOnDisk


@pytest.mark.parametrize("kind", [Content, ContentOnDisk])
def test_what_is_kept_is_found(kind, random):
    content = kind()
    arrays = {
        (tile, node): random.normal(size=(3 + tile, 5, 16)).astype(np.float32)
        for tile in (0, 1, 7)
        for node in ("a", "b")
    }
    for (tile, node), array in arrays.items():
        content.keep(tile, node, array)
    for tile in (7, 0, 1, 7):
        with content.of(tile) as found:
            assert found.keys() == {"a", "b"}
            for node, array in found.items():
                np.testing.assert_array_equal(array, arrays[tile, node])
    with content.of(3) as found:
        assert not found
