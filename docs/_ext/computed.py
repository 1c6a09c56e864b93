"""The directives ``computed`` and ``part``: text that is made when a page is built.

The content of ``computed`` is a Jinja template of reStructuredText. The template calls
the functions of `facts`, `measured`, `originals`, `plans` and `reading`, and so no
number of the paper, of the protocols, of the networks, of published weights, of the
engine's plans or of the records is ever typed into a page. ``part NAME`` is a part of
the report, see `chainer_style.report.parts`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import facts
import measured
import originals
import plans
import reading
from docutils import nodes
from jinja2 import Environment, StrictUndefined
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from chainer_style import added, paper
from chainer_style.report import formats, parts

RESULTS = Path(__file__).parents[2] / "results"
"""Folder of the repository's records: the default of ``computed_results``."""

TEMPLATES = Environment(undefined=StrictUndefined, autoescape=False)


class Computed(SphinxDirective):
    """Render the content by Jinja, and put what it says in its place."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the rendered text."""
        # What it depends on is not in the page, so the page is always read anew.
        self.env.note_reread()
        template = TEMPLATES.from_string("\n".join(self.content))
        text = template.render(
            added=added,
            facts=facts,
            formats=formats,
            measured=measured,
            originals=originals,
            paper=paper,
            plans=plans,
            reading=reading,
            results=Path(self.config.computed_results),
            why=facts.PAPER,
        )
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Part(SphinxDirective):
    """Put a part of the report in its place, made from the repository's records."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the part."""
        self.env.note_reread()
        machines = measured.found(Path(self.config.computed_results))
        text = parts.render(self.arguments[0], machines)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive, and where it looks for records."""
    app.add_config_value("computed_results", str(RESULTS), "env", str)
    app.add_directive("computed", Computed)
    app.add_directive("part", Part)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
