"""Figure 5, obtaining image features: what each layer sees, and what it still knows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
from PIL import Image

from chainer_style import engines, transfer
from chainer_style.engines.base import Device
from chainer_style.figures.figure4 import COLOURS, Matrix, features
from chainer_style.figures.request import Progress, Request, Setting, save_tile, setting
from chainer_style.networks import Network
from chainer_style.transfer import Iterate, Transfer

TITLE = "Obtaining image features"

Term = Literal["content", "style"]

CHANNELS = 4
"""How many of a layer's channels are shown, those with the most energy."""

TILE = 128
"""Side of a channel's picture in pixels, at least."""

SHORT = {"iterations": 50, "learning_rate": 12.0}
"""What two cores can do in a minute; fewer and larger steps."""

WHOLE = {"iterations": 300, "learning_rate": 6.0}


def make(
    network: str, request: Request, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Leave the strongest channels of every tap, and reconstructions from them."""
    both = request.content, request.style
    own = WHOLE if request.full else SHORT
    ready = setting("modern", network, request, both, init="noise", **own)
    label = ready.weights.label
    maps = {}
    taps = ready.network.taps
    found = features(ready, ready.array(request.style), taps)
    for tap, channels in zip(taps, found, strict=True):
        maps[tap.name] = [
            save_tile(
                shown(channels[i]),
                folder,
                f"figure5-{network}-{tap.name}-{rank}",
                f"channel {i} of {request.style.name} at {tap.name}, {label}",
            )
            for rank, i in enumerate(strongest(channels), 1)
        ]
    terms: tuple[Term, ...] = ("content", "style")
    rebuilt: dict[str, dict[str, str]] = {term: {} for term in terms}
    losses: dict[str, dict[str, list[float]]] = {term: {} for term in terms}
    total = 2 * len(taps) * ready.protocol.iterations
    done = 0
    for term, tap in product(terms, taps):
        job = reconstruction(ready, request, term, tap.name)
        values = []
        for iterate in job.run():
            values.append(term_of(iterate, term))
            done += 1
            progress(done / total, f"{term} from {tap.name}")
        name = f"figure5-{network}-{term}-{tap.name}"
        rebuilt[term][tap.name] = save_tile(job.picture, folder, name, label)
        losses[term][tap.name] = [values[0], values[-1]]
    return {
        **ready.record(*both),
        "pictures": {"maps": maps, **rebuilt},
        "losses": losses,
    }


def strongest(channels: Matrix) -> list[int]:
    """Return the numbers of the channels with the most energy, strongest first.

    Counted within the picture: along its edges, the padding is what many answer to.
    """
    energy = np.square(inner(channels).astype(np.float64)).sum(axis=(1, 2))
    return [int(i) for i in np.argsort(-energy, kind="stable")[:CHANNELS]]


def inner(maps: Matrix) -> Matrix:
    """Return maps, (..., height, width), without an eighth along each edge."""
    rows, columns = (length // 8 for length in maps.shape[-2:])
    return maps[..., rows or None : -rows or None, columns or None : -columns or None]


def shown(values: Matrix) -> Image.Image:
    """Return one channel, (height, width), as a picture: 0 is dark.

    The brightest is the value that 1 % of the inner positions exceed.
    """
    most = max(float(np.quantile(inner(values), 0.99)), np.finfo(np.float32).tiny)
    level = (values / most).clip(0, 1)
    colours = matplotlib.colormaps[COLOURS](level, bytes=True)[..., :3]
    times = -(-TILE // max(values.shape))
    size = (values.shape[1] * times, values.shape[0] * times)
    return Image.fromarray(colours).resize(size, Image.Resampling.NEAREST)


def reconstruction(ready: Setting, request: Request, term: Term, name: str) -> Transfer:
    """Set up a transfer from noise that knows nothing but one layer.

    Parameters
    ----------
    ready
        The network, under a protocol that starts from noise.
    request
        Says the pictures.
    term
        ``content``: the features of the content picture at that tap alone.
        ``style``: the Gram matrices of the style picture there and at all shallower
        taps, as in figure 1 of Gatys, Ecker and Bethge 2015.
    name
        Of the tap.
    """
    protocol = ready.protocol.with_options(
        content_weight=float(term == "content"), tv_weight=0.0
    )
    both = request.content, request.style
    job = transfer.prepare(*both, protocol=protocol, weights=ready.weights)
    network = only(job.problem.network, term, name)
    problem = dataclasses.replace(
        job.problem, network=network, weights=ready.weights.for_network(network)
    )
    return Transfer(problem, engines.create("auto", problem, Device()), job.seed)


def only(network: Network, term: Term, name: str) -> Network:
    """Return a network whose taps serve one term, up to the tap of that name."""
    taps = list(_upto(network, name))
    if term == "content":
        taps = [taps[-1]._replace(content=1.0, style=0.0)]
    else:
        taps = [tap._replace(content=0.0, style=1.0) for tap in taps]
    return dataclasses.replace(network, taps=tuple(taps)).upto_taps()


def _upto(network: Network, name: str) -> Iterator[Any]:
    for tap in network.taps:
        yield tap
        if tap.name == name:
            return


def term_of(iterate: Iterate, term: Term) -> float:
    """Return the sum of a term over the taps."""
    return float(sum(getattr(iterate.losses, term)))
