"""Figure 4: Gram matrices of a style picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainer_style.report import rst, tiles
from chainer_style.report.machines import Machine
from chainer_style.report.tiles import Shown


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return the matrices of the first machine that has some, and their numbers."""
    views = tiles.shown(machines, 4)
    return {"views": [(view, _maps(view), _numbers(view)) for view in views]}


def _maps(view: Shown) -> str:
    """Return the heat maps, from shallow to deep."""
    source = view.settings["sources"][0]
    row = []
    for name, file in view.settings["pictures"]["grams"].items():
        channels = view.settings["channels"][name]
        words = f"{rst.escaped(name)}, {channels} × {channels}"
        row.append(view.tile(file, f"Gram matrix of {source} at {name}", words))
    return tiles.table([row])


def _numbers(view: Shown) -> str:
    """Return how many axes hold the energy."""
    settings = view.settings
    head = ["Tap", "Channels", "Positions", "Axes with half", "Axes with 90 %"]
    keys = ("channels", "positions", "half", "most")
    rows = [
        [rst.escaped(tap), *(str(settings[key][tap]) for key in keys)]
        for tap in settings["channels"]
    ]
    return rst.table(head, rows, kind="numbers")
