"""What the docstrings need so that they are shown as they are meant."""

from __future__ import annotations

import itertools
from typing import Any

import click
from sphinx.application import Sphinx


def keep_colons(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Keep Napoleon from taking "a: b" in a variable's first line for its type.

    It looks at the first line only, so that an empty comment goes before it.
    """
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]


def skip_field_numbers(
    app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Skip a named tuple's fields, which Python calls "Alias for field number 0"."""
    return str(obj.__doc__).startswith("Alias for field number") or None


def quote_examples(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    """Show paragraphs that click must not wrap as they are to be typed."""
    text: list[str] = []
    for unwrapped, group in itertools.groupby(lines, lambda li: li.startswith("| ")):
        if unwrapped:
            text += ["::", "", *(f"   {line[2:]}" for line in group)]
        else:
            text += group
    lines[:] = text


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect them; the first before Napoleon, which has the priority 500."""
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    app.connect("autodoc-skip-member", skip_field_numbers)
    app.connect("sphinx-click-process-description", quote_examples)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
