"""Figure 6: the picture as it comes out of noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainer_style.report import formats, tiles
from chainer_style.report.machines import Machine
from chainer_style.report.tiles import Shown

ACROSS = 5
"""Pictures in a row."""


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return the frames of the first machine that has some."""
    views = tiles.shown(machines, 6)
    return {"views": [(view, _strip(view)) for view in views]}


def _strip(view: Shown) -> str:
    """Return the frames with their losses, in rows."""
    cells = []
    for index, file in view.settings["pictures"]["frames"].items():
        loss = view.settings["losses"][index]
        words = "\n".join(
            [
                f"| **{index}**",
                *(f"| {name} {formats.plain(loss[name])}" for name in loss),
            ]
        )
        cells.append(view.tile(file, f"The picture after iteration {index}", words))
    cells += [""] * (-len(cells) % min(ACROSS, len(cells)))
    rows = [cells[i : i + ACROSS] for i in range(0, len(cells), ACROSS)]
    return tiles.table(rows)
