"""Calls cuDNN's C functions and looks at what they return."""

from __future__ import annotations

import ctypes
from typing import Any

from chainer_style.compat.cudnn import _libraries


class CuDNNError(RuntimeError):
    """A function of cuDNN failed.

    Attributes
    ----------
    function
        Its name.
    status
        cuDNN's number for what went wrong.
    """

    def __init__(self, function: str, status: int, text: str) -> None:
        super().__init__(f"{function}: {text}")
        self.function = function
        self.status = status


def call(function: str, *arguments: Any) -> None:
    """Call a function of cuDNN by its name.

    Parameters
    ----------
    function
        Its name in cuDNN's headers.
    arguments
        Values of ctypes: a Python integer would be cut to 32 bits.

    Raises
    ------
    CuDNNError
        It returned another status than success.
    """
    library = _libraries.library()
    if status := getattr(library, function)(*arguments):
        raise CuDNNError(function, status, _text(library, status))


def _text(library: Any, status: int) -> str:
    text = str(library.cudnnGetErrorString(status).decode())
    more = ctypes.create_string_buffer(1024)
    library.cudnnGetLastErrorString(more, ctypes.c_size_t(len(more)))
    said = more.value.decode(errors="replace").strip()
    return f"{text} ({said})" if said else text
