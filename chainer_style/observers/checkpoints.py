"""Checkpoints of the run, as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from chainer_style.transfer import Iterate


def checkpoints(
    iterates: Iterable[Iterate], every: int, save: Callable[[], None]
) -> Iterator[Iterate]:
    """Save a checkpoint where `snapshots` saves a picture.

    Parameters
    ----------
    iterates
        The loop.
    every
        After iterations 0, `every`, 2 × `every`, ...; nothing is saved where it is 0.
    save
        Writes the run as it stands.
    """
    for iterate in iterates:
        if every and iterate.index % every == 0:
            save()
        yield iterate
