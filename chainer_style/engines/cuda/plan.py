"""A network on a device, for pictures of one size: programs with their memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.engines.base import Problem
from chainer_style.engines.cuda import moving, parameters
from chainer_style.engines.cuda.compiler import Compiler
from chainer_style.engines.cuda.machine import Machine, Run
from chainer_style.engines.cuda.nodes import filled
from chainer_style.engines.cuda.objective import Objective
from chainer_style.engines.cuda.sized import Sized
from chainer_style.engines.cuda.steps import BLOCKS, FLOAT, Program, Units, aligned
from chainer_style.engines.cuda.windows import LENGTH
from chainer_style.networks import Network

Array = npt.NDArray[Any]


class Plan:
    """What computes the losses of a problem and moves its picture.

    Parameters
    ----------
    problem
        What to compute.
    machine
        Where.

    Raises
    ------
    UserError
        If the network has a node that no kernel computes, or there is no memory.
    """

    def __init__(self, problem: Problem, machine: Machine) -> None:
        self._machine, self._network = machine, problem.network
        height, width = problem.content.shape[2:]
        self._compiler = self._compiled(problem.network, height, width)
        self._pixels = problem.content[0].size
        machine.expect(predicted(problem, machine.format.bytes, units=machine.units))
        machine.ready(
            [
                self._drafted(problem),
                self._compiler.features(_wanted(problem)),
                self._compiled(problem.network, *problem.style.shape[2:]).grams(),
            ]
        )
        arrays = problem.weights.arrays
        self.addresses = parameters.load(machine, problem.network, arrays)
        self.objective = Objective(
            problem.protocol,
            problem.network.taps,
            self._compiler.shapes,
            self._targets(problem),
        )
        terms = len(self.objective.terms)
        rows = {"partial": BLOCKS, "losses": LENGTH}
        for name, count in rows.items():
            self.addresses[name] = machine.allocate(FLOAT * count * terms)
        self.addresses["rates"] = machine.allocate(FLOAT * LENGTH)
        weights = np.array(self.objective.weights, np.float32)
        self.addresses["weights"] = machine.hold(weights)
        self._by_pixel = by_pixel = problem.protocol.pixelwise_clip
        planes = problem.content.shape[1]
        bounds = moving.bounds(problem.canvas, planes, by_pixel=by_pixel)
        self.addresses["bounds"] = machine.hold(bounds)
        self.addresses["corner"] = machine.allocate(FLOAT)
        for name in ("first", "second", "slope", "trial"):
            self.addresses[name] = machine.allocate(FLOAT * self._pixels)
        self.addresses["picture"] = machine.hold(problem.start.astype(np.float32))

    def _compiled(self, network: Network, height: int, width: int) -> Compiler:
        machine = self._machine
        extents = height, width, machine.format.bytes
        return Compiler(Sized(network, *extents, units=machine.units))

    def _drafted(self, problem: Problem) -> Program:
        """Return the program of an iteration, but for the weights of its losses."""
        return self._compiler.iteration(_anything(problem, self._compiler), 1e-8)

    def _targets(self, problem: Problem) -> dict[str, tuple[float, float]]:
        """Compute what the losses compare with, and return its energies by tap."""
        machine, taps = self._machine, problem.network.taps
        self.addresses["counter"] = machine.hold(np.array([-1], np.int32))
        styles = self._style(problem)
        content = self._content(problem)
        found = {}
        for tap in taps:
            gram = styles[tap.node]
            channels = self._compiler.shapes[tap.node].channels
            style = float(np.vdot(gram, gram)) / channels**2
            self.addresses[f"style {tap.node}"] = machine.hold(gram)
            found[tap.node] = content.get(tap.node, 1.0), style
        return found

    def _style(self, problem: Problem) -> dict[str, Array]:
        """Return the Gram matrices of the style picture."""
        height, width = problem.style.shape[2:]
        machine, network = self._machine, problem.network
        compiler = self._compiled(network, height, width)
        program = compiler.grams()
        found = {}
        with _Room(machine, program) as places:
            self._compute(program, places, problem.style)
            for tap in network.taps:
                shape = compiler.shapes[tap.node]
                side = filled(shape.channels)
                place = places[f"gram {tap.node}"]
                gram = machine.fetch(place, (side, side), np.float32)
                found[tap.node] = gram * np.float32(1 / shape.size)
        return found

    def _content(self, problem: Problem) -> dict[str, float]:
        """Keep the content picture's features; return their mean squares by tap."""
        machine, compiler = self._machine, self._compiler
        wanted = _wanted(problem)
        if not wanted:
            return {}
        program = compiler.features(wanted)
        found = {}
        with _Room(machine, program) as places:
            self._compute(program, places, problem.content)
            for node in wanted:
                shape = compiler.shapes[node]
                extents = shape.height, shape.width, filled(shape.channels)
                place = places[compiler.map(node)]
                packed = machine.fetch(place, extents, machine.format.dtype)
                features = machine.format.decode(packed)
                found[node] = float(np.vdot(features, features)) / shape.size
                self.addresses[f"content {node}"] = machine.hold(packed)
        return found

    def _compute(
        self, program: Program, places: Mapping[str, int], picture: Array
    ) -> None:
        given = self._machine.hold(picture.astype(np.float32))
        addresses = {**self.addresses, **places, "picture": given}
        self._machine.prepared(program, addresses)()
        self._machine.synchronize()
        self._machine.free(given)

    # -- programs ----------------------------------------------------------

    def iteration(self, epsilon: float) -> Run:
        """Do an iteration, and return what does one, as one piece of work.

        Parameters
        ----------
        epsilon
            Of Adam.
        """
        program = self._compiler.iteration(
            self.objective, epsilon, by_pixel=self._by_pixel
        )
        self._arrange(program)
        return self._machine.captured(self._prepared(program))

    def trial(self) -> Run:
        """Return what computes losses and gradient of the picture ``trial``."""
        program = self._compiler.iteration(self.objective, None)
        self._arrange(program)
        return self._prepared(program, picture=self.addresses["trial"])

    def _prepared(self, program: Program, **others: int) -> Run:
        arena = program.arrange()
        start = self.addresses["arena"]
        places = {name: start + place for name, place in arena.places.items()}
        return self._machine.prepared(program, {**self.addresses, **places, **others})

    def _arrange(self, program: Program) -> None:
        """Have memory for a program; it is that of all programs."""
        if "arena" not in self.addresses:
            self.addresses["arena"] = self._machine.allocate(program.arrange().size)


class _Room:
    """Memory of a program that is run once."""

    def __init__(self, machine: Machine, program: Program) -> None:
        self._machine, self._arena = machine, program.arrange()

    def __enter__(self) -> dict[str, int]:
        self._start = self._machine.allocate(self._arena.size)
        return {n: self._start + place for n, place in self._arena.places.items()}

    def __exit__(self, *_: object) -> None:
        self._machine.free(self._start)


def _wanted(problem: Problem) -> list[str]:
    """Return the taps with a content loss."""
    return [tap.node for tap in problem.network.taps if tap.content]


def _anything(problem: Problem, compiler: Compiler) -> Objective:
    """Return losses of any weights: those of the same steps."""
    taps = problem.network.taps
    energies = {tap.node: (1.0, 1.0) for tap in taps}
    return Objective(problem.protocol, taps, compiler.shapes, energies)


def predicted(problem: Problem, width: int, *, units: Units = Units.NONE) -> int:
    """Return the bytes that a plan takes on the device, without cuDNN's own.

    Parameters
    ----------
    problem
        What to compute.
    width
        Bytes of a feature.
    units
        What kernels may multiply with.
    """
    network: Network = problem.network
    height, width_px = problem.content.shape[2:]
    compiler = Compiler(Sized(network, height, width_px, width, units=units))
    arena = compiler.iteration(_anything(problem, compiler), 1e-8).arrange().size
    shapes = [compiler.shapes[tap.node] for tap in network.taps]
    held: int = sum(FLOAT * filled(shape.channels) ** 2 for shape in shapes)
    for tap, shape in zip(network.taps, shapes, strict=True):
        if tap.content:
            positions = shape.height * shape.width
            held += aligned(width * positions * filled(shape.channels))
    pictures: int = 5 * FLOAT * problem.content[0].size
    return arena + held + pictures + parameters.size(width, network)
