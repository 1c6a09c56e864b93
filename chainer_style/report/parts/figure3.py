"""Figure 3: generated pictures, content by style by network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainer_style.report import tiles
from chainer_style.report.machines import Machine
from chainer_style.report.tiles import Shown


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return the pictures of the first machine that has some, as tables."""
    views = tiles.shown(machines, 3)
    return {"views": views, "tables": [_table(view) for view in views]}


def _table(view: Shown) -> str:
    """Return styles across, contents down, and what was painted where they meet."""
    pictures = view.settings["pictures"]
    styles = pictures["styles"]
    head = ["", *(view.tile(styles[s], f"The style {s}", s) for s in styles)]
    rows = [head]
    for content, painted in pictures["painted"].items():
        name = pictures["contents"][content]
        rows.append([view.tile(name, f"The content {content}", content)])
        for style in styles:
            alt = f"{content} in the style of {style}, by {view.title}"
            rows[-1].append(view.tile(painted[style], alt))
    return tiles.table(rows)
