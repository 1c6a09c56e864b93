"""Training with TensorFlow, eagerly: the same graph, channels last.

On the CPU TensorFlow convolves no other layout.
"""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # nothing but errors
import tensorflow as tf

from chainer_style import memory
from chainer_style.engines.base import Device
from chainer_style.networks import INPUT, Shape
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

Tensor = Any  # tf.Tensor, of a package that need not be there


@functools.singledispatch
def apply(node: Node, x: Tensor, *more: Tensor) -> Tensor:
    """Run one node on tensors of shape (batch, height, width, channels)."""
    raise TypeError(f"no TensorFlow function for a node of {type(node).__name__}")


@apply.register
def _(node: Conv, x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    around = [[0, 0], [node.pad, node.pad], [node.pad, node.pad], [0, 0]]
    return tf.nn.bias_add(tf.nn.conv2d(x, W, node.stride, around), b)


@apply.register
def _(node: Linear, x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    return tf.nn.bias_add(tf.reshape(x, (x.shape[0], -1)) @ W, b)


@apply.register
def _(node: ReLU, x: Tensor) -> Tensor:
    return tf.nn.relu(x)


@apply.register
def _(node: Dropout, x: Tensor) -> Tensor:
    return tf.nn.dropout(x, node.ratio)


@apply.register
def _(node: Concat, *inputs: Tensor) -> Tensor:
    return tf.concat(inputs, axis=3)


@apply.register
def _(node: LRN, x: Tensor) -> Tensor:
    alpha = node.alpha / node.local_size
    return tf.nn.local_response_normalization(
        x, node.local_size // 2, node.k, alpha, node.beta
    )


@apply.register
def _(node: Pool, x: Tensor) -> Tensor:
    kernel, stride, pad = node.window
    _, rows, columns, channels = x.shape
    shape = node.output_shape([Shape(channels, rows, columns)])
    floored = replace(node, rounding="floor")
    reaching = shape != floored.output_shape([Shape(channels, rows, columns)])
    # Windows that reach over the edge need padding behind it.
    margins = [
        [pad, max((count - 1) * stride + kernel - pad - length, 0)]
        for count, length in ((shape.height, rows), (shape.width, columns))
    ]
    around = [[0, 0], *margins, [0, 0]]
    if node.kind == "max":
        padded = any(map(any, margins))
        return tf.nn.max_pool2d(x, kernel, stride, around if padded else "VALID")
    if node.kind == "l2":
        raise TypeError(f"no TensorFlow function for the L2 pooling of {node.name}")
    if reaching:
        raise TypeError(f"TensorFlow cannot average over the edge, as {node.name} does")
    if pad:
        x = tf.pad(x, around)
    return tf.nn.avg_pool2d(x, kernel, stride, "VALID")


class TensorFlowTrainer(Trainer):
    """See `Trainer`."""

    version = str(tf.__version__)

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
        network = benchmark.network
        size = network.input_size
        self._shapes = network.shapes(size, size)
        self._where = f"/GPU:{device.gpu}" if device.is_gpu else "/CPU:0"
        with tf.device(self._where):
            self._parameters = {
                layer: {
                    "W": tf.Variable(self._channels_last(network[layer], own["W"])),
                    "b": tf.Variable(own["b"]),
                }
                for layer, own in arrays.items()
            }
            self.pictures = tf.constant(pictures.transpose(0, 2, 3, 1))
            self.labels = tf.constant(labels)
        self._tape: Any = None
        self._loss: Tensor = None

    @classmethod
    def obstacle(cls, device: Device) -> str | None:
        """Return whether TensorFlow sees no such device."""
        if device.is_gpu and device.gpu >= len(tf.config.list_physical_devices("GPU")):
            return "TensorFlow sees no CUDA device"
        return None

    def _channels_last(self, node: Node, W: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return filters as TensorFlow has them."""
        if isinstance(node, Linear):
            below = self._shapes[node.inputs[0]]
            W = W.reshape(-1, *below).transpose(2, 3, 1, 0)
            return np.ascontiguousarray(W.reshape(below.size, -1))
        return np.ascontiguousarray(W.transpose(2, 3, 1, 0))

    def _channels_first(self, node: Node, W: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return filters as Chainer has them."""
        if isinstance(node, Linear):
            channels, height, width = self._shapes[node.inputs[0]]
            W = W.reshape(height, width, channels, -1).transpose(3, 2, 0, 1)
            return np.ascontiguousarray(W.reshape(len(W), -1))
        return np.ascontiguousarray(W.transpose(3, 2, 0, 1))

    def prepare(self) -> None:
        """Let go of the last iteration's graph."""
        self._tape = self._loss = None
        self._wait()

    def forward(self) -> None:
        """Compute the loss and the accuracy."""
        with tf.device(self._where), tf.GradientTape() as self._tape:
            self._tape.watch(self.pictures)
            values = {INPUT: self.pictures}
            for node in self.benchmark.network.nodes:
                inputs = [values[name] for name in node.inputs]
                own = self._parameters.get(node.name, {})
                filters = (own[key] for key in ("W", "b") if key in own)
                values[node.name] = apply(node, *inputs, *filters)
            heads = self.benchmark.heads
            self._loss = sum(
                head.weight
                * tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(
                        self.labels, values[head.node]
                    )
                )
                for head in heads
            )
            right = tf.argmax(values[heads[0].node], 1, tf.int32) == self.labels
            tf.reduce_mean(tf.cast(right, tf.float32))
        self._wait()

    def backward(self) -> None:
        """Compute the gradients and update the parameters."""
        parameters = [p for own in self._parameters.values() for p in own.values()]
        with tf.device(self._where):
            *gradients, _ = self._tape.gradient(
                self._loss, [*parameters, self.pictures]
            )
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.assign_sub(RATE * gradient)
        self._wait()

    def _wait(self) -> None:
        if self.device.is_gpu:
            tf.test.experimental.sync_devices()

    @property
    def loss(self) -> float:
        """The loss of the last `forward`."""
        return float(self._loss)

    @property
    def parameters(self) -> dict[str, dict[str, npt.NDArray[Any]]]:
        """A copy of the parameters."""
        network = self.benchmark.network
        return {
            layer: {
                "W": self._channels_first(network[layer], own["W"].numpy()),
                "b": own["b"].numpy(),
            }
            for layer, own in self._parameters.items()
        }

    def peak_memory(self) -> int:
        """Return the most bytes held, on a GPU by TensorFlow's allocator."""
        if self.device.is_gpu:
            found = tf.config.experimental.get_memory_info(f"GPU:{self.device.gpu}")
            return int(found["peak"])
        return memory.peak()


TRAINER = TensorFlowTrainer
