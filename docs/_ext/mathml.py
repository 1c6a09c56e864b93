"""Formulas as MathML, which browsers draw by themselves: no script, no network.

The work is done by Docutils' own converter.
"""

from __future__ import annotations

import html
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util.logging import getLogger
from sphinx.writers.html5 import HTML5Translator

LOGGER = getLogger(__name__)


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula within a line."""
    self.body.append(_converted(node, as_block=False))
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on lines of its own."""
    self.body.append(f'<div class="formula">{_converted(node, as_block=True)}</div>')
    raise nodes.SkipNode


def _converted(node: nodes.math | nodes.math_block, *, as_block: bool) -> str:
    code = node.astext()
    try:
        return tex2mathml(code, as_block=as_block)
    except MathError as error:
        LOGGER.warning("cannot convert the formula %s: %s", code, error, location=node)
        return html.escape(code)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer ``mathml``."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
