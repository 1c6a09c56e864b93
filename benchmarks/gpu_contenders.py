"""Who takes part in ``benchmarks/gpu.py``: PyTorch, stock Chainer, and engine cuda."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from contenders import LEAN, Contender

from chainer_style.errors import UserError

if TYPE_CHECKING:
    from chainer_style.engines.base import Device, Engine, Problem

Place = Literal["card", "cpu"]
"""Where everyone computes; ``cpu`` is for tests, without a card."""

COMPILERS = {"TORCHINDUCTOR_COMPILE_THREADS": "8"}
"""What compiles for `torch.compile` waits while anything is timed."""


@dataclass(frozen=True)
class OnCard:
    """Creates an engine of this package on the first card."""

    engine: str
    precision: str
    cudnn: bool = False
    place: Place = "card"

    @property
    def device(self) -> Device:
        """Where it computes."""
        from chainer_style.engines.base import Device

        return Device() if self.place == "cpu" else Device(0, cudnn=self.cudnn)

    def __call__(self, problem: Problem, threads: int) -> Engine:
        """Return the engine."""
        from chainer_style import engines

        return engines.create(self.engine, problem, self.device, self.precision)

    def obstacle(self) -> str | None:
        """Return why there is none, or None."""
        from chainer_style import engines

        try:
            engines.check(self.engine, self.device)
        except UserError as error:
            return str(error)
        return None


@dataclass(frozen=True)
class TorchOnCard:
    """Creates a loop of PyTorch on the first card, channels last."""

    precision: str
    captured: bool = False
    compiled: bool | str = False
    place: Place = "card"

    def __call__(self, problem: Problem, threads: int) -> Engine:
        """Return the loop."""
        import torch
        from pytorch_loop import PyTorchLoop

        device = "cpu"
        if self.place == "card":
            if not torch.cuda.is_available():
                raise UserError("PyTorch sees no CUDA device")
            device = "cuda"
        make = PyTorchLoop
        if self.captured:
            from pytorch_graph import CapturedLoop

            make = CapturedLoop
        else:
            make = functools.partial(PyTorchLoop, compiled=self.compiled)
        return make(
            problem, channels_last=True, device=device, precision=self.precision
        )


@dataclass(frozen=True)
class CardContender(Contender):
    """A contender on a card.

    Attributes
    ----------
    precision
        What it computes in.
    """

    precision: str = "float32"

    def obstacle(self) -> str | None:
        """Return why it cannot take part, or None."""
        if self.module and importlib.util.find_spec(self.module) is None:
            return f"{self.module} is not installed"
        return self.create.obstacle() if isinstance(self.create, OnCard) else None


TORCH = {
    "torch-eager": ("PyTorch, eager", TorchOnCard("")),
    "torch-graph": ("PyTorch, CUDA graph", TorchOnCard("", captured=True)),
    "torch-compile": (
        "PyTorch, torch.compile",
        TorchOnCard("", compiled="reduce-overhead"),
    ),
    "torch-max-autotune": (
        "PyTorch, torch.compile, max-autotune",
        TorchOnCard("", compiled="max-autotune"),
    ),
}
"""PyTorch's ways, in a precision that is still to be said. ``reduce-overhead`` makes
CUDA graphs of what it compiles; ``max-autotune`` tries kernels of its own, too,
which takes long."""

CHAINER = {
    "chainer-gpu": ("Chainer, the paper's column GPU", False),
    "chainer-cudnn": ("Chainer, the paper's column cuDNN", True),
}
"""Stock Chainer without waste, and whether it may use cuDNN; in float32 always."""

DEFAULT = (
    "cuda",
    "torch-eager",
    "torch-graph",
    "torch-compile",
    "chainer-gpu",
    "chainer-cudnn",
)
"""Who takes part unless others are named."""


def chosen(
    names: list[str], precision: str, place: Place = "card"
) -> Iterator[CardContender]:
    """Yield contenders by name; any other name is an engine of this package.

    Parameters
    ----------
    names
        Of them.
    precision
        That everyone computes in but stock Chainer.
    place
        Where.
    """
    for name in dict.fromkeys(names):
        yield _contender(name, precision, place)


def _contender(name: str, precision: str, place: Place) -> CardContender:
    if name in TORCH:
        title, made = TORCH[name]
        return CardContender(
            name,
            title,
            "pytorch",
            LEAN,
            dataclasses.replace(made, precision=precision, place=place),
            COMPILERS,
            "torch",
            bool(made.compiled),
            ("torch", "pytorch_loop"),
            precision,
        )
    family, kind, title, cudnn = "own", name, f"Engine {name}", True
    if name in CHAINER:
        family, kind, precision = "chainer", "chainer", "float32"
        title, cudnn = CHAINER[name]
    create = OnCard(kind, precision, cudnn, place)
    modules = ("chainer_style.engines.define_by_run",)
    return CardContender(
        name, title, family, LEAN, create, modules=modules, precision=precision
    )
