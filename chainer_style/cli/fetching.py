"""What a terminal shows while trained weights are fetched."""

from __future__ import annotations

import sys
from typing import Any

import click

from chainer_style.weights.obtain import Watch


class Terminal(Watch):
    """Lines of text, and a bar with bytes per second and the time left.

    Parameters
    ----------
    quiet
        Show no bar.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Any = None

    def say(self, text: str) -> None:
        """Print a line."""
        self.pause()
        click.echo(text, err=True)

    def progress(self, name: str, done: int, total: int | None) -> None:
        """Move the bar, which begins with what is there already."""
        if self._bar is None:
            from tqdm.auto import tqdm

            self._bar = tqdm(
                desc=name,
                total=total,
                initial=done,
                unit="B",
                unit_scale=True,
                dynamic_ncols=True,
                mininterval=0.1 if sys.stderr.isatty() else 10,
                disable=self._quiet,
            )
        self._bar.total = total
        if done < self._bar.n:  # it starts over
            self._bar.reset(total)
        self._bar.update(done - self._bar.n)

    def pause(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
