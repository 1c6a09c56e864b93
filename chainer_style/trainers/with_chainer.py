"""Training with Chainer, as the 2016 script does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import chainer
import chainer.functions as F
import numpy as np
import numpy.typing as npt
from chainer.backends import cuda

from chainer_style import memory
from chainer_style.engines import devices
from chainer_style.engines.base import Device
from chainer_style.links import NetworkChain
from chainer_style.networks.benchmarks import Benchmark
from chainer_style.trainers.base import RATE, Arrays, Trainer


class ChainerTrainer(Trainer):
    """See `Trainer`."""

    version = str(chainer.__version__)

    def __init__(
        self,
        benchmark: Benchmark,
        arrays: Arrays,
        pictures: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int32],
        device: Device,
    ) -> None:
        self.heads = benchmark.heads
        self.device = device
        self.chain = NetworkChain(benchmark.network, arrays)
        self.target = chainer.get_device(
            f"@cupy:{device.gpu}" if device.is_gpu else "@numpy"
        )
        self.target.use()
        self.chain.to_device(self.target)
        self.pictures = self.target.send(pictures)
        self.labels = self.target.send(labels)
        self.optimizer = chainer.optimizers.SGD(lr=RATE).setup(self.chain)
        self._loss: Any = None

    @classmethod
    def obstacle(cls, device: Device) -> str | None:
        """Return what of the device is missing."""
        missing = devices.obstacle(device)
        return None if missing is None else missing.reason

    @contextlib.contextmanager
    def _configured(self) -> Iterator[None]:
        cudnn = "always" if self.device.cudnn else "never"
        with (
            chainer.using_config("train", True),
            chainer.using_config("use_cudnn", cudnn),
            np.errstate(all="ignore"),
        ):
            yield
            if self.device.is_gpu:
                cuda.Device(self.device.gpu).synchronize()

    def prepare(self) -> None:
        """Let go of the last iteration's graph and gradients."""
        with self._configured():
            self._loss = None
            self.chain.cleargrads()

    def forward(self) -> None:
        """Compute the loss and the accuracy."""
        with self._configured():
            # A variable: its gradient is asked for, as in 2016.
            x = chainer.Variable(self.pictures)
            logits = self.chain(x, [head.node for head in self.heads])
            self._loss = sum(
                head.weight * F.softmax_cross_entropy(y, self.labels)
                for head, y in zip(self.heads, logits, strict=True)
            )
            F.accuracy(logits[0], self.labels)

    def backward(self) -> None:
        """Compute the gradients and update the parameters."""
        with self._configured():
            self._loss.backward()
            self.optimizer.update()

    @property
    def loss(self) -> float:
        """The loss of the last `forward`."""
        return float(self._loss.array)

    @property
    def parameters(self) -> dict[str, dict[str, npt.NDArray[Any]]]:
        """A copy of the parameters."""
        cpu = chainer.get_device("@numpy")
        return {
            layer: {
                key: np.array(cpu.send(getattr(self.chain[layer], key).array))
                for key in ("W", "b")
            }
            for layer in self.chain.network.parameter_shapes()
        }

    def peak_memory(self) -> int:
        """Return the most bytes held, on a GPU by CuPy's memory pool."""
        return memory.peak_on(self.device.is_gpu)


TRAINER = ChainerTrainer
