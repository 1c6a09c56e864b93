"""What the parts on one benchmark's record have in common."""

from __future__ import annotations

import pytest

from chainer_style.report import parts, precisions, scaling, tilings, together
from chainer_style.report.machines import Machine

FILES = {
    "precision": precisions.FILE,
    "threads": scaling.FILE,
    "tiling": tilings.FILE,
    "ranks": together.FILE,
}


@pytest.mark.parametrize("name", FILES)
def test_without_records(name, tmp_path):
    nothing = "No machine has a record of it yet."
    assert nothing in parts.render(name, [])
    assert nothing in parts.render(name, [Machine("one", tmp_path, {})])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("document", [{"format": 2, "rows": []}, {"format": 1}, []])
def test_a_damaged_record_is_named(shown, name, document):
    assert "Skipped:" in shown(name, FILES[name], document)
