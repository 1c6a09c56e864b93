"""The pages say of the published weights what the registry says."""

from __future__ import annotations

import originals
import pytest
from docutils import nodes
from docutils.core import publish_doctree

from chainer_style.networks import NETWORKS
from chainer_style.weights.registry import ORIGINALS


def parsed(text: str) -> nodes.document:
    settings = {"report_level": 1, "halt_level": 2, "doctitle_xform": False}
    return publish_doctree(text, settings_overrides=settings)


def test_overview_has_a_row_for_every_file() -> None:
    table = next(parsed(originals.overview()).findall(nodes.table))
    rows = [[entry.astext() for entry in row] for row in table.findall(nodes.row)]
    assert len(rows) == 1 + len(ORIGINALS)
    for row, original in zip(rows[1:], ORIGINALS, strict=True):
        assert row[1:3] == [original.network, original.layout]
        assert row[3].endswith(f"{original.size / 1e6:.0f} MB")
        assert row[3].startswith("about") != original.is_size_exact
        assert row[5] == original.licence


def test_what_is_kept_is_what_a_store_takes(weights_of, tmp_path) -> None:
    from chainer_style.weights import store

    original = next(o for o in ORIGINALS if o.network == "nin")
    store.save(weights_of("nin"), tmp_path / "nin.h5")
    size = (tmp_path / "nin.h5").stat().st_size
    assert originals.kept(original) == pytest.approx(size, rel=0.01)


def test_details_hold_every_checksum_and_address() -> None:
    document = parsed(originals.details())
    titles = [title.astext() for title in document.findall(nodes.title)]
    assert titles == [original.name for original in ORIGINALS]
    links = {node["refuri"] for node in document.findall(nodes.reference)}
    text = document.astext()
    for original in ORIGINALS:
        assert NETWORKS[original.network].title in text
        for _, digest in original.checksums:
            assert digest in text
        for mirror in original.mirrors:
            assert mirror.url in links
