"""Figure 3, generated pictures: every content in every style, by one network."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from matplotlib import cbook

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
    portrait = Path(cbook._get_data_path("sample_data", "grace_hopper.jpg"))
    return [request.content, *([portrait] if portrait.is_file() else [])]


def styles(request: Request) -> list[Path]:
    """Return the chosen style, and the samples that lie beside it."""
    names = SAMPLES if request.full else SAMPLES[:FEW]
    beside = [request.style.with_name(f"{name}.jpg") for name in names]
    found = [path for path in beside if path.is_file()]
    return list(dict.fromkeys([request.style, *found]))


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
        job = transfer.prepare(
            content, style, protocol=ready.protocol, weights=ready.weights
        )
        for iterate in job.run():
            done += 1
            progress(done / total, f"{content.stem} as {style.stem}")
        name = f"figure3-{network}-{content.stem}-{style.stem}"
        file = save_tile(job.picture, folder, name, label)
        painted.setdefault(content.stem, {})[style.stem] = file
        losses.setdefault(content.stem, {})[style.stem] = iterate.losses.total
    originals = dict(_originals([*rows, *columns], folder))
    return {
        **ready.record(*rows, *columns),
        "pictures": {"painted": painted, "originals": originals},
        "last_losses": losses,
    }


def _originals(paths: list[Path], folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the pictures that it was painted from, small."""
    for path in paths:
        image = images.read(path)
        image.thumbnail((SIZE, SIZE))
        name = f"figure3-{path.stem}"
        yield path.stem, save_tile(image, folder, name, path.name)
