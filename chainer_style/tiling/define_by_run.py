"""A pass of engine ``chainer`` over a tile, on NumPy or CuPy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

import chainer
import chainer.functions as F
import numpy as np
from chainer import Variable
from chainer.backends import cuda

from chainer_style.engines.base import Device, Precision
from chainer_style.engines.define_by_run import chainer_device
from chainer_style.links import NetworkChain
from chainer_style.networks import Network
from chainer_style.tiling.base import Array
from chainer_style.tiling.plain import Pass
from chainer_style.weights import Arrays


class ChainerPass(Pass):
    """A network as Chainer's links (see `Pass`)."""

    def __init__(
        self, network: Network, arrays: Arrays, device: Device, precision: Precision
    ) -> None:
        self._nodes = [tap.node for tap in network.taps]
        self._dtype = np.dtype(precision)
        self._device, self._backend = device, chainer_device(device)
        with self._computing():
            self._chain = NetworkChain(network, arrays, trainable=False)
            self._chain.to_device(self._backend)

    def forward(self, pixels: Array) -> Mapping[str, Array]:
        """Return the features (see `Pass`)."""
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], self._dtype)
        with self._computing():
            self._picture = Variable(self._backend.send(planes))
            self._features = self._chain(self._picture, self._nodes)
        return {
            node: cuda.to_cpu(features.array)[0].transpose(1, 2, 0)
            for node, features in zip(self._nodes, self._features, strict=True)
        }

    def backward(self, gradients: Mapping[str, Callable[[Array], None]]) -> Array:
        """Return the gradient (see `Pass`)."""
        with self._computing():
            total = 0
            for node, features in zip(self._nodes, self._features, strict=True):
                _, channels, height, width = features.shape
                gradient = np.zeros((height, width, channels), self._dtype)
                gradients[node](gradient)
                planes = np.ascontiguousarray(gradient.transpose(2, 0, 1)[None])
                # The gradient of a sum of products is the other factor.
                total += F.sum(features * self._backend.send(planes))
            total.backward()  # type: ignore[attr-defined]
            found: Array = cuda.to_cpu(self._picture.grad)[0].transpose(1, 2, 0)
        return found

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        with (
            chainer.using_device(self._backend),
            chainer.using_config("train", False),
            chainer.using_config("type_check", False),
            chainer.using_config("dtype", self._dtype),
            chainer.using_config(
                "use_cudnn", "auto" if self._device.cudnn else "never"
            ),
        ):
            yield
