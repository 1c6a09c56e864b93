from __future__ import annotations

import json
import re

import pytest
from machine_records import rate

from chainer_style.paper import Cell
from chainer_style.report import html, parts
from chainer_style.report.machines import Machine


@pytest.fixture
def shown(tmp_path):
    """Return what makes a part of one benchmark's record, as text without tags."""

    def shown(name, file, document):
        path = tmp_path / file
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(document))
        cell = Cell("vgg16", 128, "CPU")
        own = Machine("one", tmp_path, {"rates": {cell: rate("one", cell, 0.5)}})
        text = html.convert(parts.render(name, [own]), "p")
        return " ".join(re.sub("<[^>]*>", " ", text).split())

    return shown
