"""Configuration of Sphinx; pages are built by ``make docs``."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_ext")]

import chainer_style  # noqa: E402 - before anything imports chainer

project = "chainer_style"
author = "The chainer_style authors"
copyright = "2026, the chainer_style authors"
version = release = chainer_style.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "computed",
    "docstrings",
    "mathml",
]
exclude_patterns = ["_build"]
default_role = "py:obj"
highlight_language = "python"

autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
napoleon_google_docstring = False
# A dataclass documents its fields as attributes; they are what it is made from.
napoleon_custom_sections = [("Attributes", "Parameters")]
napoleon_use_rtype = False

html_theme = "furo"
html_math_renderer = "mathml"
html_title = f"chainer_style {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0072b2",
        "color-brand-content": "#0072b2",
    },
    "dark_css_variables": {
        "color-brand-primary": "#56b4e9",
        "color-brand-content": "#56b4e9",
    },
}
