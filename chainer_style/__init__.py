"""chainer_style: neural style transfer in Chainer, a replication and more.

Importing this package makes Chainer 7.8.1 work on today's Python and NumPy (see
`chainer_style.compat`); nothing else is loaded until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from chainer_style import compat

if TYPE_CHECKING:
    from chainer_style.protocols import Protocol
    from chainer_style.transfer import Iterate, prepare, stylize

__all__ = ["Iterate", "Protocol", "prepare", "stylize"]
__version__ = "0.1.0"

compat.install()

_HOMES = {
    "Iterate": "chainer_style.transfer",
    "Protocol": "chainer_style.protocols",
    "prepare": "chainer_style.transfer",
    "stylize": "chainer_style.transfer",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
