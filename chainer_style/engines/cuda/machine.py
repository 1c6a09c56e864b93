"""What runs a plan: memory, kernels, convolutions, products.

A machine is a CUDA device (`chainer_style.engines.cuda.device`). The tests have one of
their own, which runs the same kernels on the processor.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.engines.cuda.formats import Format
from chainer_style.engines.cuda.steps import (
    Convolution,
    Launch,
    Product,
    Program,
    Units,
)

Array = npt.NDArray[Any]

Later = Callable[[], Array]
"""Waits for an array."""

Run = Callable[[], None]
"""Asks the device for something, and does not wait for it."""


class Machine(abc.ABC):
    """A device, the numbers it computes with, and its memory.

    Attributes
    ----------
    format
        Of features, and how they are multiplied.
    units
        What kernels may multiply with.
    """

    format: Format
    units: Units

    @abc.abstractmethod
    def allocate(self, size: int) -> int:
        """Return the address of some bytes, all of them zero.

        They are there until `free`, or as long as the machine.
        """

    @abc.abstractmethod
    def free(self, address: int) -> None:
        """Give back what was allocated."""

    @abc.abstractmethod
    def write(self, address: int, array: Array) -> None:
        """Copy an array into memory, in the order of whatever was asked for before."""

    @abc.abstractmethod
    def read(self, address: int, array: Array) -> None:
        """Copy memory into an array, once all that was asked for before is done."""

    @abc.abstractmethod
    def launch(self, step: Launch, addresses: Mapping[str, int]) -> Run:
        """Return what runs a kernel."""

    @abc.abstractmethod
    def convolution(self, step: Convolution, addresses: Mapping[str, int]) -> Run:
        """Return what runs a convolution."""

    @abc.abstractmethod
    def product(self, step: Product, addresses: Mapping[str, int]) -> Run:
        """Return what runs a matrix product."""

    @abc.abstractmethod
    def captured(self, run: Run) -> Run:
        """Run something, and return what runs all of it at once, as one piece of work.

        What its first run loads cannot be loaded while work is put together.
        """

    @abc.abstractmethod
    def later(self, address: int, shape: tuple[int, ...], dtype: Any) -> Later:
        """Ask for a copy of memory after all that was asked for so far.

        Returns
        -------
        callable
            Gives the array, when it is there.
        """

    @abc.abstractmethod
    def synchronize(self) -> None:
        """Wait until all that was asked for so far is done."""

    @abc.abstractmethod
    def expect(self, size: int) -> None:
        """Refuse what will need more memory than there is.

        Raises
        ------
        UserError
            Naming what is needed, what is free, and what to do.
        """

    @abc.abstractmethod
    def available(self) -> int:
        """Return the bytes that can still be allocated."""

    @abc.abstractmethod
    def ready(self, programs: Sequence[Program]) -> None:
        """Get ready what these programs need: no others are run."""

    def prepared(self, program: Program, addresses: Mapping[str, int]) -> Run:
        """Return what runs a program, step by step.

        Parameters
        ----------
        program
            What to run.
        addresses
            Of everything that it names.
        """
        runs = []
        for step in program.steps:
            if isinstance(step, Launch):
                runs.append(self.launch(step, addresses))
            elif isinstance(step, Product):
                runs.append(self.product(step, addresses))
            else:
                runs.append(self.convolution(step, addresses))

        def run() -> None:
            for each in runs:
                each()

        return run

    def hold(self, array: Array) -> int:
        """Return the address of a copy of an array."""
        address = self.allocate(array.nbytes)
        self.write(address, array)
        return address

    def fetch(self, address: int, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return a copy of an array in memory."""
        array = np.empty(shape, dtype)
        self.read(address, array)
        return array
