"""Figure 6, the overall flow: how the picture comes out of noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from chainer_style import themes, transfer
from chainer_style.figures import drawing
from chainer_style.figures.figure5 import term_of
from chainer_style.figures.request import SIZE, Progress, Request, save_tile, setting
from chainer_style.themes import LIGHT, Theme

TITLE = "The overall flow"

FRAMES = (0, 10, 50, 100, 200)
"""Iterations whose pictures are kept."""

WHOLE = (0, 10, 50, 100, 200, 500, 1000, 2000, 4900)
"""The same for the whole run; the program of 2016 last saved at 4950."""


def frames_of(request: Request) -> list[int]:
    """Return the iterations whose pictures are kept."""
    frames = WHOLE if request.full else FRAMES
    if request.iterations is None:
        return list(frames)
    return [frame for frame in frames if frame < request.iterations]


def make(
    network: str, request: Request, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Run protocol 2016 from noise, and leave the frames and the chart of losses."""
    both = request.content, request.style
    ready = setting("2016", network, request, both, width=SIZE)
    label = ready.weights.label
    job = transfer.prepare(*both, protocol=ready.protocol, weights=ready.weights)
    frames = frames_of(request)
    total = frames[-1] + 1
    pictures = {}
    curves: dict[str, list[float]] = {"total": [], "content": [], "style": []}
    for iterate in job.run(total):
        curves["total"].append(iterate.losses.total)
        curves["content"].append(term_of(iterate, "content"))
        curves["style"].append(term_of(iterate, "style"))
        if iterate.index in frames:
            name = f"figure6-{network}-{iterate.index:05d}"
            pictures[str(iterate.index)] = save_tile(
                iterate.picture, folder, name, f"iteration {iterate.index}, {label}"
            )
        progress((iterate.index + 1) / total, f"iteration {iterate.index}")
    chart = drawing.save_themes(
        lambda theme: draw(curves, frames, theme), folder, f"figure6-{network}-losses"
    )
    return {
        **ready.record(*both),
        "iterations": total,
        "seed": job.seed,
        "pictures": {"frames": pictures, "chart": chart},
        "losses": {
            str(i): {name: values[i] for name, values in curves.items()} for i in frames
        },
    }


def draw(
    curves: dict[str, list[float]], frames: Sequence[int], theme: Theme = LIGHT
) -> Figure:
    """Draw the losses over the iterations, on logarithmic axes.

    Iteration i stands at i + 1, so that the first can be seen.
    """
    figure = Figure(figsize=(drawing.WIDTH, 3.1), facecolor=theme.paper)
    figure.subplots_adjust(left=0.09, right=0.86, top=0.9, bottom=0.15)
    axes = figure.add_subplot()
    themes.plain(axes, theme)
    words: dict[str, Any] = {"fontsize": 8.5, "color": theme.faint}
    for (name, values), colour in zip(curves.items(), theme.series, strict=False):
        steps = np.arange(1, len(values) + 1)
        heavy = name == "total"
        axes.plot(
            steps,
            values,
            color=colour,
            linewidth=2.4 if heavy else 1.6,
            zorder=1 if heavy else 2,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [lead * 10.0**power for power in powers for lead in (1, 2, 5)]
    marks = [mark for mark in marks if low <= mark <= high]
    axes.set_yticks(marks, [f"{mark:g}" for mark in marks])
    axes.minorticks_off()
    axes.set_xticks([frame + 1 for frame in frames], [str(frame) for frame in frames])
    axes.set_xlabel("iteration", **words)
    axes.set_title("Loss before the iteration’s step", loc="left", pad=8, **words)
    drawing.names(axes, list(zip(curves, theme.series, strict=False)), theme)
    return figure
