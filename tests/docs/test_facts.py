"""The tables of the documentation say what their sources say."""

from __future__ import annotations

import dataclasses
import re

import chainer
import facts
import numpy as np
import pytest
from docutils import nodes
from docutils.core import publish_doctree

from chainer_style import links, networks, paper
from chainer_style.networks.nodes import ReLU
from chainer_style.protocols import MODERN, Protocol


def cells(text):
    """Return every table in some reStructuredText as rows of texts."""
    # Roles of Sphinx are no matter here: its default role becomes literal text.
    text = f".. default-role:: literal\n\n{text}"
    settings = {"report_level": 1, "halt_level": 2}
    document = publish_doctree(text, settings_overrides=settings)
    return [
        [[_flat(entry) for entry in row] for row in table.findall(nodes.row)]
        for table in document.findall(nodes.table)
    ]


def _flat(node):
    return " ".join(node.astext().split("\n"))


@pytest.mark.parametrize("number", paper.RATE_TABLES)
def test_the_papers_tables_hold_its_numbers_and_no_others(number):
    table = paper.RATE_TABLES[number]
    (rows,) = cells(facts.iterations(number))
    assert paper.MACHINE in rows[0][1]
    columns = list(zip(*(row[: 1 + len(rows[2])] for row in rows[3:8]), strict=True))
    assert columns[0] == tuple(str(minute) for minute in paper.MINUTES)
    printed = [c for c in table.cells if c in paper.ITERATIONS]
    assert [tuple(map(float, column)) for column in columns[1:]] == [
        tuple(paper.ITERATIONS[cell]) for cell in printed
    ]
    assert rows[2] == [cell.column for cell in printed]


def test_the_protocol_table_holds_every_field_with_both_values():
    rows = [row for table in cells(facts.protocol_table()) for row in table[1:]]
    fields = [f.name for f in dataclasses.fields(Protocol) if f.name != "name"]
    assert [row[0] for row in rows] == fields
    words = {True: "yes", False: "no", None: "—"}
    for name, *values, meaning in rows:
        for value, protocol in zip(values, (Protocol(), MODERN), strict=True):
            expected = getattr(protocol, name)
            if isinstance(expected, bool) or expected is None:
                assert value == words[expected]
            else:
                assert value == str(expected)
        assert meaning.endswith((".", "..."))


def test_values_that_differ_are_bold():
    text = facts.protocol_table()
    assert "**nearest**" in text
    assert "**average**" not in text


def test_groups_of_fields_say_where_they_were_seen():
    groups = {field.group for field in facts.protocol_fields()}
    assert "The network (models.py)." in groups
    assert "" not in groups


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_shapes_are_those_that_chainer_computes(name):
    head, *rows = cells(facts.shapes(name))[0]
    size = int(head[1].removesuffix(" px"))
    network = facts.network_of(Protocol(), name)
    chain = links.NetworkChain(network)
    image = np.zeros((1, 3, size, size), np.float32)
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        features = chain(image, [tap.node for tap in network.taps])
    for row, feature in zip(rows, features, strict=False):
        assert row[1] == "×".join(map(str, feature.shape[1:]))


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_taps_are_named_as_each_protocol_reads_them(name):
    rows = cells(facts.taps(name))[0][1:]
    old, modern = (facts.network_of(p, name) for p in (Protocol(), MODERN))
    assert [row[1] for row in rows] == [tap.node for tap in old.taps]
    assert [row[2] for row in rows] == [tap.node for tap in modern.taps]
    rectified = [row[2] for row in rows if row[2] != "conv6_4"]  # tags are not
    assert all(isinstance(modern[node], ReLU) for node in rectified)


def test_parameters_are_as_many_as_chainer_counts():
    rows = cells(facts.overview())[0][1:]
    for row in rows:
        network = networks.get(row[1])
        for text, part in zip(row[2:4], (network, network.upto_taps()), strict=True):
            count = int(text.replace("\N{NO-BREAK SPACE}", ""))
            shapes = part.parameter_shapes().values()
            arrays = [shape for layer in shapes for shape in layer.values()]
            assert count == sum(np.prod(shape, dtype=int) for shape in arrays)


def test_the_network_of_the_design_page_works(root):
    text = (root / "docs" / "design.rst").read_text(encoding="utf-8")
    code = re.search(r"( +TINY = Network\(.*?\n   \))", text, re.DOTALL)[1]
    names = {**vars(networks.graph), **vars(networks.nodes)}
    exec("if True:\n" + code, names)
    tiny = names["TINY"]
    assert tiny.minimum_size() == 1
    chain = links.NetworkChain(tiny)
    (features,) = chain(np.zeros((1, 3, 8, 8), np.float32), ["relu2"])
    assert features.shape == (1, 16, 4, 4)
