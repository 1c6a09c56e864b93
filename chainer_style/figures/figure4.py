"""Figure 4, the flow of feature acquisition: how the channels are correlated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import chainer
import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from chainer_style import losses, themes
from chainer_style.figures import drawing
from chainer_style.figures.request import Progress, Request, Setting, save_tile, setting
from chainer_style.links import NetworkChain
from chainer_style.networks import Tap
from chainer_style.themes import LIGHT, Theme

TITLE = "Flow of feature acquisition: correlation of channels"

Matrix = npt.NDArray[Any]

COLOURS = "magma"
"""Matplotlib's map of the heat maps."""

TILE = 160
"""Side of a heat map in pixels."""


def make(
    network: str, request: Request, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Draw the Gram matrices of the style picture, and how they fall off."""
    ready = setting("2016", network, request, (request.content, request.style))
    grams = gram_matrices(ready, ready.array(request.style))
    names = [tap.name for tap in ready.network.taps]
    shapes = ready.network.shapes(*ready.array(request.style).shape[2:])
    progress(0.5, "Gram matrices")
    pictures = {
        name: save_tile(
            heat_map(gram),
            folder,
            f"figure4-{network}-{name}",
            f"Gram matrix of {request.style.name} at {name}, {ready.weights.label}",
        )
        for name, gram in zip(names, grams, strict=True)
    }
    shares = {n: spectrum(gram) for n, gram in zip(names, grams, strict=True)}
    chart = drawing.save_themes(
        lambda theme: draw(shares, theme), folder, f"figure4-{network}-spectrum"
    )
    return {
        **ready.record(request.style),
        "iterations": 0,
        "pictures": {"grams": pictures, "chart": chart},
        "channels": {n: len(gram) for n, gram in zip(names, grams, strict=True)},
        "positions": {
            tap.name: shapes[tap.node].height * shapes[tap.node].width
            for tap in ready.network.taps
        },
        "half": {name: axes_for(share, 0.5) for name, share in shares.items()},
        "most": {name: axes_for(share, 0.9) for name, share in shares.items()},
    }


def features(ready: Setting, picture: Matrix, taps: Sequence[Tap]) -> list[Matrix]:
    """Return what a network makes of a picture at some taps, (channels, h, w) each."""
    chain = NetworkChain(ready.network, ready.weights.arrays, trainable=False)
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        found = chain(chainer.Variable(picture), [tap.node for tap in taps])
    return [variable.array[0] for variable in found]


def gram_matrices(ready: Setting, picture: Matrix) -> list[Matrix]:
    """Return the Gram matrices of a picture at every tap, as the style loss has them.

    Each of shape (channels, channels).
    """
    return [
        losses.gram_matrix(chainer.Variable(maps[None])).array
        for maps in features(ready, picture, ready.network.taps)
    ]


def heat_map(gram: Matrix) -> Image.Image:
    """Return a Gram matrix as a picture, strongest channels first.

    Channels are sorted by their own energy, the diagonal. The colour is the square
    root of an entry's size, as a share of the largest; its sign is left out. Where
    there are more channels than pixels, neighbours are averaged.
    """
    order = np.argsort(-np.diagonal(gram), kind="stable")
    size = np.abs(gram[np.ix_(order, order)])
    level = np.sqrt(size / max(float(size.max()), np.finfo(np.float32).tiny))
    colours = matplotlib.colormaps[COLOURS](level, bytes=True)[..., :3]
    times = -(-TILE // len(gram))
    # Enlarged by whole numbers first, so that every channel is as wide.
    enlarged = Image.fromarray(colours.repeat(times, axis=0).repeat(times, axis=1))
    return enlarged.resize((TILE, TILE), Image.Resampling.BOX)


def spectrum(gram: Matrix) -> list[float]:
    """Return the shares of a Gram matrix' eigenvalues in their sum, largest first."""
    values = np.linalg.eigvalsh(gram.astype(np.float64))[::-1].clip(0)
    return [float(value) for value in values / max(values.sum(), 1e-300)]


def axes_for(shares: Sequence[float], part: float) -> int:
    """Return how many of the largest eigenvalues hold a part of the energy."""
    return int(np.searchsorted(np.cumsum(shares), part * (1 - 1e-12)) + 1)


def draw(shares: dict[str, list[float]], theme: Theme = LIGHT) -> Figure:
    """Draw how much of the energy lies along how many axes, a line for each tap."""
    figure = Figure(figsize=(drawing.WIDTH, 3.1), facecolor=theme.paper)
    figure.subplots_adjust(left=0.08, right=0.84, top=0.9, bottom=0.15)
    axes = figure.add_subplot()
    themes.plain(axes, theme)
    colours = drawing.ramp(len(shares), theme)
    for share, colour in zip(shares.values(), colours, strict=True):
        sums = 100 * np.cumsum(share)
        axes.plot(np.arange(1, len(share) + 1), sums, color=colour, linewidth=1.8)
    axes.set_xscale("log")
    _marks(axes, max(map(len, shares.values())))
    axes.set_ylim(0, 102)
    axes.set_xlabel("axes of the Gram matrix, strongest first", **_words(theme))
    axes.set_title(
        "Share of the energy along them, %", loc="left", pad=8, **_words(theme)
    )
    drawing.names(axes, list(zip(shares, colours, strict=True)), theme)
    return figure


def _words(theme: Theme) -> dict[str, Any]:
    return {"fontsize": 8.5, "color": theme.faint}


def _marks(axes: Axes, most: int) -> None:
    ticks = [2**i for i in range(0, 12) if 2**i <= most]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(0.95, most * 1.05)
