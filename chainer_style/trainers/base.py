"""What it is to train a network on one minibatch, again and again."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from chainer_style import memory
from chainer_style.networks import Network
from chainer_style.networks.benchmarks import Benchmark

if TYPE_CHECKING:
    from chainer_style.engines.base import Device

RATE = 0.01
"""Learning rate of the 2016 script, which had plain gradient descent."""

Arrays = Mapping[str, Mapping[str, npt.NDArray[np.float32]]]


class Trainer(abc.ABC):
    """A network, its parameters and one minibatch, all on one device.

    An iteration is `prepare`, `forward` and `backward`, in this order. Each returns
    when the device has done it.

    Parameters
    ----------
    benchmark
        The network and what is minimised: the weighted sum of its heads' softmax
        cross entropies, each the mean over the minibatch.
    arrays
        Its parameters to begin with; not changed.
    pictures
        Shape (batch, 3, height, width), float32.
    labels
        Shape (batch,), int32; the right class of each.
    device
        Where to compute.
    """

    version: ClassVar[str]
    """Of the framework."""

    @abc.abstractmethod
    def __init__(
        self,
        benchmark: Benchmark,
        arrays: Arrays,
        pictures: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int32],
        device: Device,
    ) -> None: ...

    @classmethod
    @abc.abstractmethod
    def obstacle(cls, device: Device) -> str | None:
        """Return why it cannot compute on a device, or None."""

    @abc.abstractmethod
    def prepare(self) -> None:
        """Let go of the last iteration's gradients."""

    @abc.abstractmethod
    def forward(self) -> None:
        """Compute the loss and the accuracy."""

    @abc.abstractmethod
    def backward(self) -> None:
        """Compute the gradient of parameters and pictures; update the parameters."""

    @property
    @abc.abstractmethod
    def loss(self) -> float:
        """The loss of the last `forward`."""

    @property
    @abc.abstractmethod
    def parameters(self) -> dict[str, dict[str, npt.NDArray[Any]]]:
        """A copy of the parameters, in the layout of the `arrays` given."""

    def peak_memory(self) -> int | None:
        """Return the most bytes that the device held."""
        return memory.peak()


def initial_arrays(network: Network, seed: int = 0) -> Arrays:
    """Return random parameters for a network to be trained from scratch.

    Filters are normal with a variance of 1 over the number of values that a filter
    reads, biases are 0: what Chainer does by default, then as today.
    """
    random = np.random.default_rng(seed)
    arrays = {}
    for layer, shapes in network.parameter_shapes().items():
        filters = random.standard_normal(shapes["W"], np.float32)
        filters *= np.float32(1 / math.sqrt(math.prod(shapes["W"][1:])))
        arrays[layer] = {"W": filters, "b": np.zeros(shapes["b"], np.float32)}
    return arrays
