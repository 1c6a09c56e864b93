"""What the taps are compared with, computed by the same kernels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from chainer_style import memory
from chainer_style.engines.base import Problem
from chainer_style.engines.cpu.compiler import Compiler
from chainer_style.engines.cpu.kernels.products import PANEL
from chainer_style.engines.cpu.losses import Term, add_gram, lay_out
from chainer_style.engines.cpu.parameters import Array, Parameters
from chainer_style.engines.cpu.plan import Plan
from chainer_style.engines.cpu.team import Team
from chainer_style.engines.static.objective import layout, quiet, tap_weights
from chainer_style.networks import INPUT

CHUNK = 1 << 16
"""Numbers that are squared at once."""


@dataclass(frozen=True)
class Target:
    """What one tap is compared with.

    Attributes
    ----------
    term
        How.
    style
        The style picture's Gram matrix, channels that fill up included.
    content
        The content picture's features, or None where they do not count.
    """

    term: Term
    style: Array
    content: Array | None


def targets(problem: Problem, parameters: Parameters, team: Team) -> dict[str, Target]:
    """Return the style's Gram matrices and the content's features, by tapped node."""
    taps, protocol = problem.network.taps, problem.protocol
    grams = _grams(problem, parameters, team)
    wanted = [tap.node for tap in taps if tap.content or protocol.relative_losses]
    features = _features(problem, parameters, team, wanted)
    shapes = problem.network.shapes(*problem.content.shape[2:])
    found = {}
    for tap in taps:
        shape = shapes[tap.node]
        values, gram = features.get(tap.node), grams[tap.node]
        content = 1.0 if values is None else _square(values) / shape.size
        style = _square(gram) / shape.channels**2
        weights = tap_weights(protocol, tap, content, style, len(taps))
        term = Term(*weights, has_content=bool(tap.content))
        found[tap.node] = Target(term, gram, values if tap.content else None)
    return found


def _square(values: Array) -> float:
    """Return the sum of squares, to the last bit wherever the values lie in memory."""
    flat, total = values.reshape(-1), 0.0
    with quiet():
        for start in range(0, flat.size, CHUNK):
            part = flat[start : start + CHUNK]
            total += float(np.square(part, dtype=np.float64).sum())
    return total


def sketch_grams(compiler: Compiler) -> None:
    """Draft a picture's Gram matrices, each in a buffer of its own."""
    draft = compiler.draft
    draft.buffer("picture", compiler.maps[INPUT].size)

    def tapped(node: str) -> None:
        channels = compiler.maps[node].channels
        matrix = draft.buffer(f"Gram {node}", 4 * channels**2, kept=True)
        partial = draft.buffer("partial", 8 * (channels // PANEL))
        lay_out(compiler, node)
        # Without a target, what it is off by is the matrix itself.
        add_gram(compiler, node, {"y": matrix, "partial": partial}, second_scale=1)

    compiler.forward(tapped)


def _grams(problem: Problem, parameters: Parameters, team: Team) -> dict[str, Array]:
    compiler = _compiler(problem, problem.style, parameters, team)
    sketch_grams(compiler)
    plan = _run(problem, problem.style, compiler, team)
    sides = {node: compiler.maps[node].channels for node in compiler.taps}
    shapes = {node: (side // PANEL, side, PANEL) for node, side in sides.items()}
    return {
        node: memory.copied(unpacked(plan.array(f"Gram {node}", shape)))
        for node, shape in shapes.items()
    }


def unpacked(panels: Array) -> Array:
    """Return a matrix that lies in panels, (panels, rows, `PANEL`), row by row."""
    return np.ascontiguousarray(np.swapaxes(panels, 0, 1)).reshape(panels.shape[1], -1)


def packed(matrix: Array) -> Array:
    """Return a symmetric matrix in panels, (panels, rows, `PANEL`)."""
    panels = matrix.reshape(len(matrix), -1, PANEL)
    return memory.copied(np.swapaxes(panels, 0, 1))


def _features(
    problem: Problem, parameters: Parameters, team: Team, wanted: Iterable[str]
) -> dict[str, Array]:
    compiler = _compiler(problem, problem.content, parameters, team)
    compiler.draft.buffer("picture", compiler.maps[INPUT].size)
    compiler.draft.kept.update(compiler.features(node) for node in wanted)
    compiler.forward()
    plan = _run(problem, problem.content, compiler, team)
    found = {}
    for node in wanted:
        shape = compiler.maps[node]
        extent = (shape.height, shape.width, shape.channels)
        found[node] = memory.copied(plan.array(compiler.features(node), extent))
    return found


def _compiler(
    problem: Problem, picture: Array, parameters: Parameters, team: Team
) -> Compiler:
    height, width = picture.shape[2:]
    return Compiler(problem.network, height, width, parameters, team.threads)


def _run(problem: Problem, picture: Array, compiler: Compiler, team: Team) -> Plan:
    addresses = compiler.parameters.make(problem.weights.arrays)
    plan = Plan(compiler.draft, team, addresses)
    _, channels, height, width = picture.shape
    pixels = layout(picture, np.dtype(np.float32))
    plan.array("picture", (height, width, channels))[:] = pixels
    plan.run()
    return plan
