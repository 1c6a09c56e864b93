"""The source of the kernels, and what their arguments are."""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import Literal

THREADS = 256
"""Of every block."""

FILES = (
    "features",
    "picture",
    "losses",
    "layers",
    "pooling",
    "tapped",
    "normalisation",
)
"""The files of the source, in the order in which they are compiled as one."""

TAPPED = {64: 128, 128: 128, 256: 64}
"""Positions of a block of ``tapped_C``, by the channels C that there is one for."""

Type = Literal["address", "int", "wide", "float"]
"""Of an argument."""

_KERNEL = re.compile(
    r'extern "C" __global__ void (?:__launch_bounds__\(\w+\)\s+)?(\w+)\(([^)]*)\)'
)


@functools.cache
def source() -> str:
    """Return the whole source."""
    here = resources.files(__name__)
    return "\n".join((here / f"{name}.cu").read_text("utf-8") for name in FILES)


@functools.cache
def signatures() -> dict[str, tuple[Type, ...]]:
    """Return the types of the arguments of every kernel, read from the source."""
    return {
        name: tuple(_type(argument) for argument in arguments.split(","))
        for name, arguments in _KERNEL.findall(source())
    }


def _type(argument: str) -> Type:
    if "*" in argument:
        return "address"
    names: dict[str, Type] = {"int": "int", "wide": "wide", "float": "float"}
    return names[argument.split()[0]]
