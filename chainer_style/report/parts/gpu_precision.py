"""What each precision gains on a card, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainer_style.report import precisions
from chainer_style.report.machines import Machine
from chainer_style.report.parts import precision


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""
    return precision.shown(machines, precisions.ON_CARD)
