"""A progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from tqdm.auto import tqdm

from chainer_style.networks.nodes import Node
from chainer_style.transfer import Iterate

LOSSES_EVERY = 0.5
"""Seconds between two looks at the losses: reading them waits for a GPU."""


def progress(
    iterates: Iterable[Iterate], total: int, *, quiet: bool = False, done: int = 0
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
    """
    shown = -LOSSES_EVERY
    with tqdm(
        total=total, initial=done, unit="it", disable=quiet, dynamic_ncols=True
    ) as bar:
        for iterate in iterates:
            elapsed = bar.format_dict["elapsed"] if not quiet else 0.0
            if not quiet and elapsed - shown >= LOSSES_EVERY:
                shown = elapsed
                losses = iterate.losses
                bar.set_postfix(
                    loss=f"{losses.total:.4g}",
                    content=f"{sum(losses.content):.3g}",
                    style=f"{sum(losses.style):.3g}",
                    refresh=False,
                )
            bar.update()
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
