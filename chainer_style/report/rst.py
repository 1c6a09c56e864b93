"""Tables, pictures and text as reStructuredText, for the report and the docs alike."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Literal

Kind = Literal["png", "jpeg", "svg+xml"]


def escaped(text: object) -> str:
    """Return text that means nothing to reStructuredText."""
    return re.sub(r"([\\*`_|:])", r"\\\1", str(text))


def literal(value: object) -> str:
    """Return a value as literal text."""
    return f"``{value}``"


def link(title: str, address: str) -> str:
    """Return a link."""
    shown = re.sub(r"([\\<>`])", r"\\\1", title)
    return f"`{shown} <{address}>`__"


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", kind: str = ""
) -> str:
    """Return a list table.

    Parameters
    ----------
    head, rows
        reStructuredText of one paragraph per cell; the first of a row is its name.
    title
        Caption.
    kind
        Classes for the style sheet: ``numbers`` sets all but the first column flush
        right.
    """
    options = ["   :header-rows: 1"]
    if kind:
        options.append(f"   :class: {kind}")
    lines = [f".. list-table:: {title}".rstrip(), *options, ""]
    for row in (head, *rows):
        marks = ["   * -", *["     -"] * (len(row) - 1)]
        lines += [
            f"{mark} {text}".rstrip() for mark, text in zip(marks, row, strict=True)
        ]
    return "\n".join([*lines, ""])


def picture(
    image: bytes,
    kind: Kind,
    alt: str,
    caption: str = "",
    *,
    dark: bytes | None = None,
    classes: str = "picture",
) -> str:
    """Return a figure whose image is part of the text.

    Parameters
    ----------
    image
        A file's content.
    kind
        Of the file.
    alt
        What is to be seen, for those who do not see it.
    caption
        reStructuredText of one paragraph.
    dark
        The image for dark pages, where it is another one.
    classes
        For the style sheet: ``picture``, or ``chart`` for what may be scaled.
    """
    if dark is None:
        return _figure(image, kind, alt, caption, classes)
    light = _figure(image, kind, alt, caption, f"{classes} only-light")
    return light + _figure(dark, kind, alt, caption, f"{classes} only-dark")


def _figure(image: bytes, kind: Kind, alt: str, caption: str, classes: str) -> str:
    data = base64.b64encode(image).decode()
    lines = [
        f".. figure:: data:image/{kind};base64,{data}",
        f"   :alt: {alt}",
        f"   :figclass: {classes}",
        "",
    ]
    if caption:
        lines += [f"   {caption}", ""]
    return "\n".join([*lines, ""])
