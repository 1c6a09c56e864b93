from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz import campaign


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A file to overwrite again and again."""
    with campaign.scratch() as folder:
        yield folder / "input"
