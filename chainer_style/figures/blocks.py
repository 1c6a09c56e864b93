"""A network as the chain of boxes that Figures 1 and 2 draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chainer_style.networks import INPUT, Network, Shape, Tap
from chainer_style.networks.nodes import Concat, Conv, Linear, Node, Pool

Kind = Literal["picture", "convolution", "pooling", "branches", "other"]


@dataclass(frozen=True)
class Block:
    """One box: an operation with what only reshapes its values, or a whole module.

    Attributes
    ----------
    name
        Of the node that gives the box its name; the common part of the names where
        branches are joined.
    kind
        What it does. ``branches``: parallel paths whose channels are joined.
    shape
        Of its output.
    nodes
        Names of the nodes in it.
    window
        Kernel and stride, such as ``3×3`` or ``3×3 / 2``; empty where there is none.
    branches
        Channels of each path that is joined, one number where there is one path.
    taps
        What the losses read there.
    """

    name: str
    kind: Kind
    shape: Shape
    nodes: tuple[str, ...]
    window: str
    branches: tuple[int, ...]
    taps: tuple[Tap, ...]


def blocks(network: Network, height: int, width: int) -> list[Block]:
    """Return the boxes of a network, from the picture to its last node.

    Every convolution, fully connected or pooling layer begins a box; what follows
    without weights (ReLU, normalisation, dropout) belongs to it. Where paths are
    joined, everything since they parted is one box.

    Parameters
    ----------
    network
        The graph; `Network.upto_taps` for what the losses see.
    height, width
        Of the picture, in pixels.
    """
    shapes = network.shapes(height, width)
    groups = _groups(network)
    found = [
        Block(INPUT, "picture", shapes[INPUT], (INPUT,), "", (network.channels,), ())
    ]
    for group in groups:
        inside = {node.name for node in group}
        joint = next((n for n in group if isinstance(n, Concat)), None)
        lead = joint or group[0]
        ends = joint.inputs if joint else (group[-1].name,)
        found.append(
            Block(
                name=_common(joint.inputs) if joint else lead.name,
                kind=_kind(lead),
                shape=shapes[group[-1].name],
                nodes=tuple(node.name for node in group),
                window=_window(lead),
                branches=tuple(shapes[name].channels for name in ends),
                taps=tuple(tap for tap in network.taps if tap.node in inside),
            )
        )
    return found


def _groups(network: Network) -> list[list[Node]]:
    """Return the nodes box by box."""
    order = {node.name: i for i, node in enumerate(network.nodes)}
    # Which nodes lie between the fork and the joint of a module.
    module: dict[str, str] = {}
    for node in network.nodes:
        if isinstance(node, Concat):
            for name in _between(network, node, order):
                module[name] = node.name
    groups: list[list[Node]] = []
    last = ""
    for node in network.nodes:
        own = module.get(node.name, "")
        begins = own != last if own else isinstance(node, Conv | Linear | Pool)
        if begins or not groups:
            groups.append([])
        groups[-1].append(node)
        last = own
    return groups


def _between(network: Network, joint: Node, order: dict[str, int]) -> set[str]:
    """Return the joint and all nodes behind the last one that every path reads."""
    paths = [_before(network, name) | {name} for name in joint.inputs]
    common = set.intersection(*paths) - {INPUT}
    fork = max((order[name] for name in common), default=-1)
    behind = {name for path in paths for name in path if name != INPUT}
    return {name for name in behind if order[name] > fork} | {joint.name}


def _before(network: Network, name: str) -> set[str]:
    """Return the names of all nodes that a node depends on."""
    found: set[str] = set()
    todo = [name]
    while todo:
        current = todo.pop()
        if current != INPUT:
            new = set(network[current].inputs) - found
            found |= new
            todo += new
    return found


def _common(names: Sequence[str]) -> str:
    """Return the common beginning of some names, up to a slash."""
    first, *_ = names
    length = 0
    for i, letters in enumerate(zip(*names, strict=False)):
        if len(set(letters)) > 1:
            break
        length = i + 1
    return first[:length].rstrip("/_") or first


def _kind(node: Node) -> Kind:
    if isinstance(node, Concat):
        return "branches"
    if isinstance(node, Conv):
        return "convolution"
    return "pooling" if isinstance(node, Pool) else "other"


def _window(node: Node) -> str:
    if not isinstance(node, Conv | Pool):
        return ""
    kernel, stride, _ = node.window
    return f"{kernel}×{kernel}" + (f" / {stride}" if stride > 1 else "")
