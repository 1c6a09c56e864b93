"""Helpers for code that has to run in a Python process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cudnn_stand_ins import stand_ins  # noqa: F401 - a fixture

import chainer_style  # before any test module imports chainer

REPOSITORY = Path(chainer_style.__file__).parents[1]


@pytest.fixture
def python() -> Callable[..., str]:
    """Run ``python ARGUMENTS`` with warnings as errors and return its output."""

    def run(*arguments: str, path: Path | None = None, status: int = 0) -> str:
        folders = [str(path), str(REPOSITORY)] if path else [str(REPOSITORY)]
        done = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(folders), "PYTHONDONTWRITEBYTECODE": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    return run
