"""Observers of the loop: each wraps a stream of iterates and passes it on.

>>> from chainer_style import stylize
>>> from chainer_style.observers import compiling, learning, progress
>>> for iterate in progress(stylize(content, style), total=300):  # doctest: +SKIP
...     pass
"""

from __future__ import annotations

from chainer_style.observers.checkpoints import checkpoints
from chainer_style.observers.progress import compiling, cuts, learning, progress
from chainer_style.observers.runlog import RunLog
from chainer_style.observers.safety import finite, interruptible
from chainer_style.observers.snapshots import snapshots

__all__ = [
    "RunLog",
    "checkpoints",
    "compiling",
    "cuts",
    "finite",
    "interruptible",
    "learning",
    "progress",
    "snapshots",
]
