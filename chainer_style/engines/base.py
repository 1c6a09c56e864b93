"""What an engine is: a picture in, losses and their gradient out."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from chainer_style import cores
from chainer_style.engines import Precision as Precision
from chainer_style.images import Array, Canvas
from chainer_style.networks import Network
from chainer_style.protocols import Protocol
from chainer_style.weights.collection import Weights


@dataclass(frozen=True)
class Device:
    """Where an engine computes.

    Attributes
    ----------
    gpu
        Number of the CUDA device; negative: the CPU.
    cudnn
        Whether cuDNN may be used there.
    threads
        Of the CPU; None: as many as this process may use cores.
    """

    gpu: int = -1
    cudnn: bool = True
    threads: int | None = None

    @property
    def cores(self) -> int:
        """How many threads are to compute."""
        return self.threads or cores.available()

    @property
    def is_gpu(self) -> bool:
        """Whether it is a CUDA device."""
        return self.gpu >= 0

    @property
    def column(self) -> str:
        """Its column in the paper's experiments: CPU, GPU or cuDNN."""
        if not self.is_gpu:
            return "CPU"
        return "cuDNN" if self.cudnn else "GPU"


@dataclass(frozen=True)
class Problem:
    """One transfer, ready to compute. Arrays are in network units, float32.

    Attributes
    ----------
    network
        The graph as the protocol wants it (pooling, taps), up to the last tap.
    weights
        Its parameters.
    protocol
        Every setting.
    content, style, start
        Shape (1, 3, height, width). The style may differ in size.
    canvas
        How the content lies in its array.
    """

    network: Network
    weights: Weights
    protocol: Protocol
    content: Array
    style: Array
    start: Array
    canvas: Canvas


@dataclass(frozen=True)
class Losses:
    """The loss at one iteration, and its terms as they are added up.

    Attributes
    ----------
    total
        The sum that is minimised.
    content, style
        One weighted term per tap, from shallow to deep.
    variation
        The weighted total variation.
    """

    total: float
    content: tuple[float, ...]
    style: tuple[float, ...]
    variation: float

    @property
    def is_finite(self) -> bool:
        """Whether the optimisation still makes sense."""
        return bool(np.isfinite(self.total))


@dataclass(frozen=True)
class State:
    """How far an engine is: all that its next steps depend on but the problem.

    Attributes
    ----------
    image
        The picture, shape (1, 3, height, width), float32, network units.
    first, second
        Adam's moments of the gradient, like `image`, per grey level and per grey level
        squared.
    done
        Number of steps that the moments were gathered in, which corrects their bias.
    scheduled
        Number of steps of the problem's own, which the learning rate falls with. Fewer
        than `done` where the moments come from a smaller scale.
    """

    image: Array
    first: Array
    second: Array
    done: int
    scheduled: int


class Engine(abc.ABC):
    """Computes one `Problem`: holds the targets, the picture and Adam's state.

    Losses and the gradient of `evaluate` are those of the problem's protocol; all
    engines agree on them to rounding.
    """

    name: ClassVar[str]

    runs_ahead: ClassVar[bool] = False
    """Whether `step` returns before an iteration is done."""

    problem: Problem

    @abc.abstractmethod
    def evaluate(self, image: npt.NDArray[Any]) -> tuple[Losses, npt.NDArray[Any]]:
        """Return the losses at a picture, and the gradient with respect to it.

        Parameters
        ----------
        image
            Shape (1, 3, height, width), network units.

        Returns
        -------
        losses
            Content, style and total variation.
        gradient
            Shape of `image`; of the total loss, per grey level.
        """

    @abc.abstractmethod
    def step(self) -> Callable[[], Losses]:
        """Do one iteration: losses, gradient, Adam, clip.

        Returns
        -------
        callable
            Gives the losses *before* the update. On a GPU the call waits for the
            device, so that whoever does not need the losses does not wait.
        """

    @property
    @abc.abstractmethod
    def image(self) -> Array:
        """A copy of the picture as it stands, (1, 3, height, width) float32."""

    @property
    @abc.abstractmethod
    def state(self) -> State:
        """How far it is, in copies."""

    @property
    def shared_state(self) -> State:
        """The same, on every process that takes part."""
        return self.state

    @abc.abstractmethod
    def restore(self, state: State) -> None:
        """Go on from a state, of this engine or of any other of the same problem."""

    @property
    def layout(self) -> str:
        """How the picture is cut, and what that takes; empty where it is not."""
        return ""

    @property
    def is_finite(self) -> bool:
        """Whether every pixel is a number."""
        return all_finite(self.image)

    @abc.abstractmethod
    def synchronize(self) -> None:
        """Wait until everything asked for so far is done."""


def all_finite(array: npt.NDArray[Any]) -> bool:
    """Whether an array has numbers alone; takes no memory for it."""
    # The least and the largest are no numbers where any value is none.
    with np.errstate(invalid="ignore"):
        return bool(np.isfinite(array.min()) and np.isfinite(array.max()))
