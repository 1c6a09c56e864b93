"""The source of the kernels, and what their arguments are."""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import Literal

THREADS = 256
"""Of every block."""

WARPS = THREADS // 32
"""Of threads."""

FILES = ("features", "picture", "losses", "layers", "pooling", "normalisation")
"""Of the source, in the order in which they are compiled as one; each thread of these
computes what is its own."""

OF_WARPS = ("matrix", "tapped", "grams", "first", "groups")
"""More of them, whose kernels are of whole warps, for devices with matrix units."""

TAPPED = (64, 128, 256)
"""Channels C that there is a ``tapped_C`` for."""

PART = 64
"""Channels whose errors a block of these holds."""

GRAMS = {64: 1, 128: 4}
"""Channels C that there is a ``gram_C`` for, and warps that share what they read."""

STAGES = 3
"""Times four windows that these have room for."""

SIDE, PARTS = 64, 4
"""Channels of a part of a Gram matrix, and how many a block has room for in the end."""

Type = Literal["address", "int", "wide", "float"]
"""Of an argument."""

_KERNEL = re.compile(
    r'extern "C" __global__ void (?:__launch_bounds__\([^)]*\)\s+)?(\w+)\(([^)]*)\)'
)


@functools.cache
def source(files: tuple[str, ...] = (*FILES, *OF_WARPS)) -> str:
    """Return the source, the whole of it or some files."""
    here = resources.files(__name__)
    return "\n".join((here / f"{name}.cu").read_text("utf-8") for name in files)


@functools.cache
def signatures(
    files: tuple[str, ...] = (*FILES, *OF_WARPS),
) -> dict[str, tuple[Type, ...]]:
    """Return the types of the arguments of every kernel, read from the source."""
    return {
        name: tuple(_type(argument) for argument in arguments.split(","))
        for name, arguments in _KERNEL.findall(source(files))
    }


def _type(argument: str) -> Type:
    if "*" in argument:
        return "address"
    names: dict[str, Type] = {"int": "int", "wide": "wide", "float": "float"}
    return names[argument.split()[0]]
