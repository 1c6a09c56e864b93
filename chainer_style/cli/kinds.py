"""Kinds of values that options take."""

from __future__ import annotations

import re
from typing import Any

import click

UNITS = {
    "": 1,
    "B": 1,
    **{f"{prefix}iB": 1024 ** (i + 1) for i, prefix in enumerate("KMGT")},
    **{f"{prefix}B": 1000 ** (i + 1) for i, prefix in enumerate("KMGT")},
}
"""Bytes of a unit of memory."""

_NAMES = {name.lower(): count for name, count in UNITS.items()} | {
    prefix: 1024 ** (i + 1) for i, prefix in enumerate("kmgt")
}


class Memory(click.ParamType[int]):
    """A number of bytes, such as ``2GiB``, ``1.5 GB`` or ``800M``."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the bytes; ``M`` and ``G`` alone are binary, as in most tools."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]*\.?[0-9]+) ?([a-zA-Z]*)", value.strip())
        if found is None or found[2].lower() not in _NAMES:
            self.fail(f"{value!r} is no amount of memory; write 2GiB or 800MB")
        return int(float(found[1]) * _NAMES[found[2].lower()])


class Size(click.ParamType[tuple[int, int]]):
    """Width and height of a picture, such as ``7680x4320``."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return width and height; one number is both."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"([0-9]+)(?:[x×]([0-9]+))?", value.strip())
        if found is None or not int(found[1]) or not int(found[2] or 1):
            self.fail(f"{value!r} is no size in pixels; write 1024 or 7680x4320")
        return int(found[1]), int(found[2] or found[1])


MEMORY, SIZE = Memory(), Size()
