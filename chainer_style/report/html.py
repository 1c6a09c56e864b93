"""From reStructuredText to HTML, by docutils."""

from __future__ import annotations

import sys

from docutils.core import publish_parts

SETTINGS = {
    "initial_header_level": 3,
    "doctitle_xform": False,
    "raw_enabled": False,
    "file_insertion_enabled": False,
    # A part that is not well-formed is a fault of this package.
    "halt_level": 2,
    "report_level": 2,
    "smart_quotes": False,
    "embed_stylesheet": False,
    # A picture is one line.
    "line_length_limit": sys.maxsize,
}


def convert(text: str) -> str:
    """Return reStructuredText as HTML without head and body."""
    parts = publish_parts(text, writer_name="html5", settings_overrides=SETTINGS)
    return str(parts["body"])
