"""Figure 5: features of a picture, and what can be rebuilt from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainer_style.report import rst, tiles
from chainer_style.report.machines import Machine
from chainer_style.report.tiles import Shown


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return features and reconstructions of the first machine that has some."""
    views = tiles.shown(machines, 5)
    return {"views": [(view, _maps(view), _rebuilt(view)) for view in views]}


def _maps(view: Shown) -> str:
    """Return the strongest channels, a row for each tap."""
    source = view.settings["sources"][1]
    return tiles.table(
        [
            [
                rst.escaped(tap),
                *(
                    view.tile(file, f"Channel of {source} at {tap}, number {i}")
                    for i, file in enumerate(files, 1)
                ),
            ]
            for tap, files in view.settings["pictures"]["maps"].items()
        ]
    )


def _rebuilt(view: Shown) -> str:
    """Return what was rebuilt of content and of style, from shallow to deep."""
    pictures, losses = view.settings["pictures"], view.settings["losses"]
    rows = [["", *map(rst.escaped, pictures["maps"])]]
    for term in ("content", "style"):
        row = [term]
        for tap, file in pictures[term].items():
            words = f"{100 * losses[term][tap][1] / losses[term][tap][0]:.2g} % left"
            alt = f"The {term} rebuilt from {tap}"
            row.append(view.tile(file, alt, words))
        rows.append(row)
    return tiles.table(rows, head=True)
