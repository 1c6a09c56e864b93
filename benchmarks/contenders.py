"""Who takes part in ``benchmarks/cpu.py``: peers, and this package's engines."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainer_style.errors import UserError
from chainer_style.protocols import Protocol

if TYPE_CHECKING:
    from chainer_style.engines.base import Engine, Precision, Problem

WITHOUT_WASTE: dict[str, Any] = {
    "zero_weight_terms": False,
    "weight_gradients": False,
    "cpu_type_check": False,
    "holds_graph": False,
    "pixelwise_clip": False,
}
"""Fields of protocol 2016 that cost time or memory, and change no picture."""

KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
    "MALLOC_TOP_PAD_": str(1 << 26),
}
"""Has the library of C keep freed memory instead of asking the system for it again.
PyTorch, which allocates its features anew in every iteration, is a little faster so."""

ONE_COMPILER = {"TORCHINDUCTOR_COMPILE_THREADS": "1"}
"""Lets `torch.compile` start no processes that would wait beside the measured ones."""


@dataclass(frozen=True)
class Contender:
    """A program that optimises the picture.

    Attributes
    ----------
    name
        To ask for it.
    title
        To print.
    family
        ``chainer``, ``pytorch``, or ``own`` for this package's engines.
    protocol
        What it computes.
    create
        Makes it for a problem and a number of threads, in the process that it is
        measured in.
    variables
        Of the environment that it is started in, beside the number of threads.
    module
        What it cannot do without.
    compiles
        Whether it may compile something that later processes find ready.
    modules
        To import before anything is set up, where that can be waited for.
    """

    name: str
    title: str
    family: str
    protocol: Protocol
    create: Callable[[Problem, int], Engine]
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    module: str | None = None
    compiles: bool = False
    modules: tuple[str, ...] = ()

    def obstacle(self) -> str | None:
        """Return why it cannot take part, or None."""
        if self.module and importlib.util.find_spec(self.module) is None:
            return f"{self.module} is not installed"
        if self.family == "own":
            from chainer_style import engines
            from chainer_style.engines.base import Device

            try:
                engines.check(self.name, Device())
            except UserError as error:
                return str(error)
        return None


@dataclass(frozen=True)
class OfThisPackage:
    """Creates an engine of this package."""

    engine: str
    precision: Precision = "float32"

    def __call__(self, problem: Problem, threads: int) -> Engine:
        """Return the engine."""
        from chainer_style import engines
        from chainer_style.engines.base import Device

        return engines.create(
            self.engine, problem, Device(threads=threads), self.precision
        )


@dataclass(frozen=True)
class OfPyTorch:
    """Creates a loop of PyTorch."""

    channels_last: bool = False
    compiled: bool = False

    def __call__(self, problem: Problem, threads: int) -> Engine:
        """Return the loop."""
        import torch
        from pytorch_loop import PyTorchLoop

        torch.set_num_threads(threads)
        return PyTorchLoop(
            problem, channels_last=self.channels_last, compiled=self.compiled
        )


OF_2016 = Protocol()
LEAN = OF_2016.with_options(**WITHOUT_WASTE)


def _pytorch(name: str, title: str, create: OfPyTorch) -> Contender:
    variables = {**KEEP_MEMORY, **ONE_COMPILER}
    return Contender(
        name, title, "pytorch", LEAN, create, variables, "torch", create.compiled
    )


PEERS = {
    peer.name: peer
    for peer in (
        Contender(
            "chainer-2016",
            "Chainer, the loop of 2016",
            "chainer",
            OF_2016,
            OfThisPackage("chainer"),
        ),
        Contender(
            "chainer",
            "Chainer, without waste",
            "chainer",
            LEAN,
            OfThisPackage("chainer"),
        ),
        _pytorch("torch", "PyTorch, eager", OfPyTorch()),
        _pytorch(
            "torch-channels-last",
            "PyTorch, eager, channels last",
            OfPyTorch(channels_last=True),
        ),
        # Compiled, this order of memory was the faster one in every trial, too.
        _pytorch(
            "torch-compile",
            "PyTorch, torch.compile",
            OfPyTorch(channels_last=True, compiled=True),
        ),
    )
}
"""Those that this package's engines are compared with."""

OWN = ("cpu", "numpy")
"""Engines of this package that take part unless others are named."""


def chosen(names: list[str]) -> Iterator[Contender]:
    """Yield contenders by name; any other name is an engine of this package."""
    for name in dict.fromkeys(names):
        yield PEERS.get(name) or Contender(
            name, f"Engine {name}", "own", LEAN, OfThisPackage(name), compiles=True
        )
