"""What is remembered of a device is that of one test."""

import pytest

from chainer_style import files


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Have a folder for it."""
    monkeypatch.setenv(files.CACHE, str(tmp_path / "cache"))
