"""Training on one constant minibatch, in Chainer and, where installed, in others."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

from chainer_style.paper import Column
from chainer_style.trainers.base import RATE, Trainer, initial_arrays

__all__ = ["FRAMEWORKS", "RATE", "Framework", "Trainer", "initial_arrays"]


@dataclass(frozen=True)
class Framework:
    """A library that can train the networks.

    Attributes
    ----------
    name, title
        To ask for, and to print.
    package
        What is imported.
    columns
        Devices that it is measured on. Only Chainer does without cuDNN.
    """

    name: str
    title: str
    package: str
    columns: tuple[Column, ...] = ("CPU", "cuDNN")

    @property
    def is_installed(self) -> bool:
        """Whether there is such a package; it is not imported."""
        return importlib.util.find_spec(self.package) is not None

    @property
    def trainer(self) -> type[Trainer]:
        """The class that trains with it.

        Raises
        ------
        ImportError
            If the package cannot be imported.
        """
        module = importlib.import_module(f"chainer_style.trainers.with_{self.name}")
        trainer: type[Trainer] = module.TRAINER
        return trainer


FRAMEWORKS = {
    framework.name: framework
    for framework in (
        Framework("chainer", "Chainer", "chainer", ("CPU", "GPU", "cuDNN")),
        Framework("tensorflow", "TensorFlow", "tensorflow"),
        Framework("pytorch", "PyTorch", "torch"),
    )
}
"""Every framework, by name. Only Chainer is a dependency."""
