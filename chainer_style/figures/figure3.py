"""Figure 3, generated pictures: every content in every style, by one network."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib

from chainer_style import images, transfer
from chainer_style.figures.request import SIZE, Progress, Request, save_tile, setting

TITLE = "Generated images"

SAMPLES = ("swirls", "mosaic", "ink")
"""The package's style pictures: taken along where they lie beside the chosen one."""

FEW = 2
"""How many of them, if not the whole figure is asked for."""

SHORT: dict[str, dict[str, Any]] = {
    "vgg16": {"iterations": 60, "learning_rate": 7.0},
    "nin": {"iterations": 120, "learning_rate": 6.0},
}
"""What two cores can do in a minute and a half; fewer and larger steps."""

WHOLE: dict[str, dict[str, Any]] = {"vgg16": {"width": 256}, "nin": {"width": 256}}
"""With the protocol's own steps."""


def contents(request: Request) -> list[Path]:
    """Return the chosen picture, and the portrait that matplotlib brings.

    Grace Hopper, United States Navy, public domain. Some systems' matplotlib comes
    without it.
    """
    portrait = Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
    return _by_name([request.content, *([portrait] if portrait.is_file() else [])])


def styles(request: Request) -> list[Path]:
    """Return the chosen style, and the samples that lie beside it."""
    names = SAMPLES if request.full else SAMPLES[:FEW]
    beside = [request.style.with_name(f"{name}.jpg") for name in names]
    return _by_name([request.style, *(path for path in beside if path.is_file())])


def _by_name(paths: list[Path]) -> list[Path]:
    """Return one picture of each name: files are called after them."""
    return list({path.stem: path for path in reversed(paths)}.values())[::-1]


def make(
    network: str, request: Request, folder: Path, progress: Progress
) -> dict[str, Any]:
    """Paint every content in every style, and leave the pictures.

    The weights are the same for all of them.
    """
    rows, columns = contents(request), styles(request)
    own = (WHOLE if request.full else SHORT)[network]
    ready = setting("modern", network, request, (*rows, *columns), **own)
    label = ready.weights.label
    total = ready.protocol.iterations * len(rows) * len(columns)
    done = 0
    painted: dict[str, dict[str, str]] = {}
    losses: dict[str, dict[str, float]] = {}
    for content, style in product(rows, columns):
        name = f"{content.stem}-{style.stem}"
        job = transfer.prepare(
            content, style, protocol=ready.protocol, weights=ready.weights
        )
        for iterate in job.run():
            done += 1
            loss = iterate.losses.total
            progress(done / total, f"{name}, loss {loss:.2f}")
        file = save_tile(job.picture, folder, f"figure3-{network}-{name}", label)
        painted.setdefault(content.stem, {})[style.stem] = file
        losses.setdefault(content.stem, {})[style.stem] = loss
    return {
        **ready.record(*rows, *columns),
        "pictures": {
            "painted": painted,
            "contents": dict(_originals("content", rows, folder)),
            "styles": dict(_originals("style", columns, folder)),
        },
        "last_losses": losses,
    }


def _originals(what: str, paths: list[Path], folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the pictures that it was painted from, small."""
    for path in paths:
        image = images.read(path)
        image.thumbnail((SIZE, SIZE))
        name = f"figure3-{what}-{path.stem}"
        yield path.stem, save_tile(image, folder, name, path.name)
