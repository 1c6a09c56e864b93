"""Pictures of the run, as it goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from chainer_style import images
from chainer_style.transfer import Iterate


def snapshots(
    iterates: Iterable[Iterate], folder: Path, every: int, saves: bool = True
) -> Iterator[Iterate]:
    """Save ``im_%05d.png`` after iterations 0, `every`, 2 × `every`, ...

    Names and rhythm of the 2016 code. Nothing is saved where `every` is 0, nor where
    another rank `saves` it; but this one has to give its part.
    """
    for iterate in iterates:
        if every and iterate.index % every == 0:
            path = folder / f"im_{iterate.index:05d}.png"
            if saves:
                images.save(iterate.picture, path, iterate.label)
            else:
                _ = iterate.array
        yield iterate
