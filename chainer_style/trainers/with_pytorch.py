"""Training with PyTorch: the same graph, as PyTorch's own functions run it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from chainer_style import memory
from chainer_style.engines.base import Device
from chainer_style.networks import INPUT
from chainer_style.networks.benchmarks import Benchmark
from chainer_style.networks.nodes import (
    LRN,
    Concat,
    Conv,
    Dropout,
    Linear,
    Node,
    Pool,
    ReLU,
)
from chainer_style.trainers.base import RATE, Arrays, Trainer

Tensor = Any  # torch.Tensor, of a package that need not be there


@functools.singledispatch
def apply(node: Node, x: Tensor, *more: Tensor) -> Tensor:
    """Run one node on tensors; see `chainer_style.functions.apply`."""
    raise TypeError(f"no PyTorch function for a node of {type(node).__name__}")


@apply.register
def _(node: Conv, x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    return F.conv2d(x, W, b, node.stride, node.pad, groups=node.groups)


@apply.register
def _(node: Linear, x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    return F.linear(x.flatten(1), W, b)


@apply.register
def _(node: ReLU, x: Tensor) -> Tensor:
    return F.relu(x)


@apply.register
def _(node: Dropout, x: Tensor) -> Tensor:
    return F.dropout(x, node.ratio)


@apply.register
def _(node: Concat, *inputs: Tensor) -> Tensor:
    return torch.cat(inputs, dim=1)


@apply.register
def _(node: LRN, x: Tensor) -> Tensor:
    return F.local_response_norm(x, node.local_size, node.alpha, node.beta, node.k)


@apply.register
def _(node: Pool, x: Tensor) -> Tensor:
    if node.kind == "l2":
        raise TypeError(f"no PyTorch function for the L2 pooling of {node.name}")
    pool = F.max_pool2d if node.kind == "max" else F.avg_pool2d
    return pool(x, *node.window, ceil_mode=node.rounding == "ceil")


class PyTorchTrainer(Trainer):
    """See `Trainer`."""

    version = str(torch.__version__)

    def __init__(
        self,
        benchmark: Benchmark,
        arrays: Arrays,
        pictures: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int32],
        device: Device,
    ) -> None:
        self.benchmark = benchmark
        self.device = device
        where = f"cuda:{device.gpu}" if device.is_gpu else "cpu"
        self._parameters = {
            layer: {
                key: torch.tensor(array, device=where, requires_grad=True)
                for key, array in own.items()
            }
            for layer, own in arrays.items()
        }
        self.pictures = torch.tensor(pictures, device=where, requires_grad=True)
        self.labels = torch.tensor(labels, device=where, dtype=torch.int64)
        self.optimizer = torch.optim.SGD(
            [p for own in self._parameters.values() for p in own.values()], lr=RATE
        )
        self._loss: Tensor = None

    @classmethod
    def obstacle(cls, device: Device) -> str | None:
        """Return whether PyTorch sees no such device."""
        if not device.is_gpu:
            return None
        if device.gpu >= torch.cuda.device_count():
            return "PyTorch sees no CUDA device"
        if not torch.backends.cudnn.is_available():
            return "PyTorch has no cuDNN here"
        return None

    def prepare(self) -> None:
        """Let go of the last iteration's graph and gradients."""
        self._loss = None
        self.pictures.grad = None
        self.optimizer.zero_grad(set_to_none=True)
        self._wait()

    def forward(self) -> None:
        """Compute the loss and the accuracy."""
        values = {INPUT: self.pictures}
        for node in self.benchmark.network.nodes:
            inputs = [values[name] for name in node.inputs]
            own = self._parameters.get(node.name, {})
            filters = (own[key] for key in ("W", "b") if key in own)
            values[node.name] = apply(node, *inputs, *filters)
        heads = self.benchmark.heads
        self._loss = sum(
            head.weight * F.cross_entropy(values[head.node], self.labels)
            for head in heads
        )
        (values[heads[0].node].argmax(1) == self.labels).float().mean()
        self._wait()

    def backward(self) -> None:
        """Compute the gradients and update the parameters."""
        self._loss.backward()
        self.optimizer.step()
        self._wait()

    def _wait(self) -> None:
        if self.device.is_gpu:
            torch.cuda.synchronize()

    @property
    def loss(self) -> float:
        """The loss of the last `forward`."""
        return float(self._loss.detach())

    @property
    def parameters(self) -> dict[str, dict[str, npt.NDArray[Any]]]:
        """A copy of the parameters."""
        return {
            layer: {key: p.detach().cpu().numpy().copy() for key, p in own.items()}
            for layer, own in self._parameters.items()
        }

    def peak_memory(self) -> int:
        """Return the most bytes held, on a GPU by PyTorch's allocator."""
        if self.device.is_gpu:
            return int(torch.cuda.max_memory_reserved())
        return memory.peak()


TRAINER = PyTorchTrainer
