"""What the pages say in numbers, as reStructuredText, each from its one home.

The paper's numbers come from `chainer_style.paper`, the protocols' values and their
meaning from the source of `chainer_style.protocols`, geometry and costs from the
networks' graphs, and measurements from the records.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chainer_style import networks, paper, transfer
from chainer_style.networks import Network
from chainer_style.protocols import MODERN, PROTOCOLS, Protocol
from chainer_style.report import arithmetic, explain, formats, grid, tables
from chainer_style.report.parts.why import NOBODY
from chainer_style.report.rst import literal, table
from chainer_style.weights import cache

SIZES = (64, 128, 256, 512)
"""Sizes of pictures, in pixels, that the tables of networks show."""

OLD = PROTOCOLS["2016"]

PAPER = explain.Explanation(NOBODY)
"""What follows from the paper's numbers alone."""


# -- the paper ------------------------------------------------------------


def iterations(number: int) -> str:
    """Return a table of the paper as it was printed."""
    return grid.render(tables.layout(paper.RATE_TABLES[number], []))


# -- the protocols --------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """A field of the protocol, as its source declares it.

    Attributes
    ----------
    name
        Its name.
    meaning
        The text below it.
    group
        The comment above it, or above the last field that has one.
    """

    name: str
    meaning: str
    group: str


def protocol_fields() -> Iterator[Field]:
    """Read the protocol's fields, and what is said of them, from its source."""
    lines, _ = inspect.getsourcelines(Protocol)
    body = ast.parse("".join(lines)).body[0].body
    group = ""
    for node, following in itertools.pairwise(body):
        if not isinstance(node, ast.AnnAssign):
            continue
        above = lines[node.lineno - 2].strip()
        group = above.removeprefix("#").strip() if above.startswith("#") else group
        if isinstance(following, ast.Expr):
            meaning = inspect.cleandoc(following.value.value)
            yield Field(node.target.id, " ".join(meaning.split()), group)


def protocol_table() -> str:
    """Return every setting of both protocols; bold where they differ."""
    groups: dict[str, list[Sequence[str]]] = {}
    for field in protocol_fields():
        values = [_shown(getattr(p, field.name)) for p in (OLD, MODERN)]
        values = values if values[0] == values[1] else [f"**{v}**" for v in values]
        row = [literal(field.name), *values, field.meaning]
        groups.setdefault(field.group, []).append(row)
    head = ["Field", OLD.name, MODERN.name, "Meaning"]
    return "\n".join(
        table(head, rows, group, "protocol") for group, rows in groups.items()
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "—" if value is None else str(value)


# -- the networks ---------------------------------------------------------


def network_of(protocol: Protocol, name: str) -> Network:
    """Return a network as a protocol runs it."""
    return transfer.network_for(protocol.with_options(model=name))


def overview() -> str:
    """Return what every network costs, one row each."""
    head = [
        "Network",
        "Name",
        "Parameters, whole",
        "Up to the last tap",
        "Smallest picture",
        "Training mean (B, G, R)",
    ]
    rows = [
        [
            network.title,
            literal(name),
            _count(parameters(network)),
            _count(parameters(network.upto_taps())),
            f"{network_of(OLD, name).minimum_size()} px",
            ", ".join(f"{level:g}" for level in network.mean),
        ]
        for name, network in networks.NETWORKS.items()
    ]
    return table(head, rows, kind="numbers")


def parameters(network: Network) -> int:
    """Return the number of a network's parameters."""
    layers = network.parameter_shapes().values()
    return sum(math.prod(shape) for layer in layers for shape in layer.values())


def taps(name: str) -> str:
    """Return a network's taps: where they are, what they see, what they weigh."""
    network = network_of(OLD, name)
    modern = network_of(MODERN, name)
    head = ["Tap", "Node, 2016", "Node, modern", "Channels", "Sees", "Stride", "α", "β"]
    rows = []
    for tap, later in zip(network.taps, modern.taps, strict=True):
        field = network.receptive_field(tap.node)
        rows.append(
            [
                literal(tap.name),
                literal(tap.node),
                literal(later.node),
                str(network.shapes(SIZES[0], SIZES[0])[tap.node].channels),
                f"{field.size} px",
                f"{field.stride} px",
                f"{tap.content:g}",
                f"{tap.style:g}",
            ]
        )
    return table(head, rows)


def shapes(name: str) -> str:
    """Return the shape of every tap, and the cost, at several sizes of pictures."""
    network = network_of(OLD, name)
    fitting = [size for size in SIZES if size >= network.minimum_size()]
    extents = [network.shapes(size, size) for size in fitting]
    head = ["", *(f"{size} px" for size in fitting)]
    rows = [
        [literal(tap.name), *(str(shape[tap.node]) for shape in extents)]
        for tap in network.taps
    ]
    flops = [network.flops(size, size) for size in fitting]
    rows.append(["Forward pass, GFLOP", *(formats.plain(f / 1e9) for f in flops)])
    return table(head, rows, kind="numbers")


def weights_sizes() -> str:
    """Return how large weights are in float32, whole and up to the last tap."""
    rows = [
        [
            network.title,
            *(
                f"{arithmetic.FLOAT * parameters(part) / 1e6:.1f} MB"
                for part in (network, network.upto_taps())
            ),
        ]
        for network in networks.NETWORKS.values()
    ]
    return table(["Network", "Whole", "Up to the last tap"], rows, kind="numbers")


def cache_size() -> str:
    """Return how much of self-taught weights is kept."""
    return f"{cache.LARGEST >> 20} MiB"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", "\N{NO-BREAK SPACE}")


def sections() -> str:
    """Return a section for every network: source, taps, shapes and costs."""
    return "\n".join(
        "\n".join(
            [
                f"{network.title}\n{'-' * len(network.title)}\n",
                f"{network.source}.\n",
                taps(name),
                shapes(name),
            ]
        )
        for name, network in networks.NETWORKS.items()
    )
