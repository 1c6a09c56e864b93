"""Figure 1: the model flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainer_style.report import tiles
from chainer_style.report.machines import Machine


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the first machine that has the figure drew."""
    return {"views": tiles.shown(machines, 1)}
