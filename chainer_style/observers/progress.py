"""A progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from tqdm.auto import tqdm

from chainer_style.networks.nodes import Node
from chainer_style.transfer import Iterate, Transfer

LOSSES_EVERY = 0.5
"""Seconds between two looks at the losses: reading them waits for a GPU."""


SCALES = "{desc}: {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}{postfix}]"
"""The bar of several scales, whose iterations are not of one length."""


def progress(
    iterates: Iterable[Iterate],
    total: int,
    *,
    quiet: bool = False,
    done: int = 0,
    widths: Sequence[int] = (),
) -> Iterator[Iterate]:
    """Show iterations per second, the losses and the time left.

    Parameters
    ----------
    iterates
        The loop.
    total
        Number of iterations that it will do.
    quiet
        Show nothing.
    done
        Number of iterations that were done before.
    widths
        The longer side of the picture at every iteration, in pixels. Where it changes,
        an iteration counts by the square: else those at the first scales would promise
        the last one in far too little time.
    """
    shown = -LOSSES_EVERY
    scaled = len(set(widths)) > 1
    parts = [width**2 for width in widths] if scaled else [1] * total
    with tqdm(
        total=sum(parts),
        initial=sum(parts[:done]),
        unit="it",
        disable=quiet,
        dynamic_ncols=True,
        bar_format=SCALES if scaled else None,
    ) as bar:
        for iterate in iterates:
            elapsed = bar.format_dict["elapsed"] if not quiet else 0.0
            at = min(iterate.index, total - 1)
            if not quiet and elapsed - shown >= LOSSES_EVERY:
                shown = elapsed
                losses = iterate.losses
                if scaled:
                    place = f"{iterate.index + 1}/{total} it, {widths[at]} px"
                    bar.set_description_str(place, refresh=False)
                bar.set_postfix(
                    loss=f"{losses.total:.4g}",
                    content=f"{sum(losses.content):.3g}",
                    style=f"{sum(losses.style):.3g}",
                    refresh=False,
                )
            bar.update(parts[at])
            yield iterate


def cuts(
    iterates: Iterable[Iterate], job: Transfer, *, quiet: bool = False
) -> Iterator[Iterate]:
    """Tell how the picture is cut where a scale that is begun changes it.

    Parameters
    ----------
    iterates
        The loop.
    job
        Whose loop it is.
    quiet
        Show nothing.
    """
    scale = job.scale
    for iterate in iterates:
        if job.scale != scale:
            scale = job.scale
            if job.engine.layout and not quiet:
                tqdm.write(f"{job.scales[scale].width} px: {job.engine.layout}")
        yield iterate


def learning(*, quiet: bool = False) -> Callable[[Sequence[Node]], Iterable[Node]]:
    """Return what shows, node by node, how far the learning of weights is."""

    def watch(nodes: Sequence[Node]) -> Iterable[Node]:
        bar: Iterable[Node] = tqdm(
            nodes, "learning filters", leave=False, disable=quiet, dynamic_ncols=True
        )
        return bar

    return watch


def compiling(*, quiet: bool = False) -> Callable[[Sequence[str]], Iterable[str]]:
    """Return what shows, kernel by kernel, how far an engine's compiling is."""

    def watch(names: Sequence[str]) -> Iterable[str]:
        bar: Iterable[str] = tqdm(
            names,
            "compiling kernels (once)",
            leave=False,
            disable=quiet,
            dynamic_ncols=True,
        )
        return bar

    return watch
