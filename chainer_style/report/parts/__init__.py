"""Parts of the report, each also a part of a page of the documentation.

A part ``NAME`` is a module ``NAME.py`` with a function ``context(machines)``, and a
template ``NAME.rst.j2`` beside it that prints what the function returns. It is
rendered as reStructuredText: the documentation takes it as it is (directive
``part``), the report by way of `chainer_style.report.html`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from chainer_style import added, paper
from chainer_style.report import formats, rst
from chainer_style.report.machines import Machine

TEMPLATES = Environment(
    loader=PackageLoader("chainer_style.report", "parts"),
    autoescape=False,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(name: str, machines: Sequence[Machine]) -> str:
    """Return a part as reStructuredText, without a heading of its own.

    Parameters
    ----------
    name
        Of the part.
    machines
        Those that there are records of; none at all in a copy of the documentation
        without records.
    """
    module = importlib.import_module(f"chainer_style.report.parts.{name}")
    context: dict[str, Any] = module.context(machines)
    return TEMPLATES.get_template(f"{name}.rst.j2").render(
        formats=formats,
        rst=rst,
        escaped=rst.escaped,
        added=added,
        paper=paper,
        machines=machines,
        **context,
    )
