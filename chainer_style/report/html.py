"""From reStructuredText to HTML, by docutils."""

from __future__ import annotations

import re

from docutils.core import publish_parts
from docutils.writers.html5_polyglot import Writer

SETTINGS = {
    "initial_header_level": 3,
    "doctitle_xform": False,
    "raw_enabled": False,
    "file_insertion_enabled": False,
    # A part that is not well-formed is a fault of this package.
    "halt_level": 2,
    "report_level": 2,
    # A picture is one line.
    "line_length_limit": 1 << 30,
    "smart_quotes": True,
    "embed_stylesheet": False,
}


def convert(text: str, name: str) -> str:
    """Return reStructuredText as HTML without head and body.

    Parameters
    ----------
    text
        What to convert.
    name
        What every address within it begins with, so that they differ between the
        parts of a page.
    """
    settings = {**SETTINGS, "id_prefix": f"{name}-"}
    parts = publish_parts(text, writer=Writer(), settings_overrides=settings)
    # A wide table scrolls by itself, and not the page with it.
    return re.sub(
        r"(<table.*?</table>)",
        r'<div class="scroll" tabindex="0">\1</div>',
        str(parts["body"]),
        flags=re.DOTALL,
    )
