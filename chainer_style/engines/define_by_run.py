"""Engine ``chainer``: define-by-run, on NumPy or CuPy. The reference.

Follows ``generate_image`` of mattya/chainer-gogh 4aaa123 call by call under
protocol ``2016``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import chainer
import chainer.links as L
import numpy as np
import numpy.typing as npt
from chainer import Variable, optimizers
from chainer.backends import cuda

from chainer_style import losses
from chainer_style.engines import devices
from chainer_style.engines.base import (
    Device,
    Engine,
    Losses,
    Precision,
    Problem,
    State,
)
from chainer_style.engines.steps import clip_by_pixel, epsilon, learning_rate
from chainer_style.errors import UserError
from chainer_style.images import Array
from chainer_style.links import NetworkChain


class ChainerEngine(Engine):
    """The reference engine.

    Parameters
    ----------
    problem
        What to compute.
    device
        The CPU, or a CUDA device with or without cuDNN.
    precision
        ``float32``, or ``float64`` for reference values.

    Raises
    ------
    UserError
        If the CUDA device, or cuDNN where asked for, is not there.
    """

    name = "chainer"
    chain_type: ClassVar[type[NetworkChain]] = NetworkChain
    """What runs the network's graph."""

    def __init__(
        self, problem: Problem, device: Device, precision: Precision = "float32"
    ) -> None:
        self.problem = problem
        self.device = device
        self.dtype = np.dtype(precision)
        self._protocol = protocol = problem.protocol
        self._taps = problem.network.taps
        self._backend = chainer_device(device)
        with self._computing():
            arrays = problem.weights.arrays
            with chainer.using_config("dtype", self.dtype):
                self._chain = self.chain_type(
                    problem.network, arrays, trainable=protocol.weight_gradients
                )
                self._chain.to_device(self._backend)
            with chainer.no_backprop_mode():
                self._set_targets()
            self._bounds = tuple(self._send(b) for b in problem.canvas.bounds)
            self._picture = L.Parameter(np.array(problem.start, self.dtype))
            self._picture.to_device(self._backend)
            self._optimizer = optimizers.Adam(
                alpha=protocol.learning_rate,
                eps=epsilon(protocol, *problem.start.shape[2:]),
            )
            self._optimizer.setup(self._picture)
        self._scheduled = 0
        self._held: _Terms | None = None

    def _set_targets(self) -> None:
        """Compute the content features and the style's Gram matrices."""
        content = self._features(Variable(self._send(self.problem.content)))
        style = self._features(Variable(self._send(self.problem.style)))
        self._content = [features.array for features in content]
        self._style = [losses.gram_matrix(features).array for features in style]
        one = self.dtype.type(1)
        relative = self._protocol.relative_losses
        self._content_scale = [
            one / losses.energy(t) if relative else one for t in self._content
        ]
        self._style_scale = [
            one / losses.energy(t) if relative else one for t in self._style
        ]

    # -- what an engine does ----------------------------------------------

    def evaluate(self, image: npt.NDArray[Any]) -> tuple[Losses, npt.NDArray[Any]]:
        """Return the losses at a picture, and the gradient (see `Engine`)."""
        with self._computing():
            x = Variable(self._send(image))
            terms = self._terms(x)
            terms.total.backward()
            return terms.reader()(), cuda.to_cpu(x.grad)

    def step(self) -> Callable[[], Losses]:
        """Do one iteration (see `Engine`)."""
        with self._computing():
            # Only the picture's gradient is cleared; those of the filters pile
            # up unread under protocol 2016, as they did.
            self._picture.cleargrads()
            terms = self._terms(self._picture.W)
            terms.total.backward()
            self._optimizer.alpha = learning_rate(self._protocol, self._scheduled)
            self._optimizer.update()
            self._clip()
        self._scheduled += 1
        self._held = terms if self._protocol.holds_graph else None
        return terms.reader()

    @property
    def image(self) -> Array:
        """A copy of the picture as it stands (see `Engine`)."""
        return np.array(cuda.to_cpu(self._picture.W.array), np.float32)

    @property
    def state(self) -> State:
        """How far it is, in copies (see `Engine`)."""
        image, found = self.image, self._picture.W.update_rule.state
        first, second = (
            np.array(cuda.to_cpu(found[name]), np.float32)
            if found
            else np.zeros_like(image)
            for name in ("m", "v")
        )
        return State(image, first, second, self._optimizer.t, self._scheduled)

    def restore(self, state: State) -> None:
        """Go on from a state (see `Engine`)."""
        with self._computing():
            self._picture.W.array[...] = self._send(state.image)
            moments = {"m": state.first, "v": state.second}
            kept = {name: np.array(moments[name], self.dtype) for name in moments}
            kept |= {"t": np.array(state.done)}
            # As `chainer.serializers` keep an optimizer.
            named = {f"W/{name}": array for name, array in kept.items()}
            given = {"t": kept["t"], "epoch": np.array(0), **named}
            self._optimizer.serialize(chainer.serializers.NpzDeserializer(given))
        self._scheduled = state.scheduled
        self._held = None

    def synchronize(self) -> None:
        """Wait until everything asked for so far is done."""
        if self.device.is_gpu:
            cuda.Device(self.device.gpu).synchronize()

    # -- one iteration ----------------------------------------------------

    def _features(self, x: Variable) -> list[Variable]:
        nodes = [tap.node for tap in self._taps]
        return self._chain(x, nodes)

    def _terms(self, x: Variable) -> _Terms:
        """Build the graph from the picture to the total loss."""
        protocol, real = self._protocol, self.dtype.type
        taps = zip(self._taps, self._features(x), strict=True)
        self._held = None
        total = Variable(self._backend.xp.zeros((), self.dtype))
        content, style = [], []
        for i, (tap, features) in enumerate(taps):
            gram = losses.gram_matrix(features)
            if tap.content or protocol.zero_weight_terms:
                weight = real(protocol.content_weight) * real(tap.content)
                loss = losses.content_loss(features, Variable(self._content[i]))
                content.append(weight * self._content_scale[i] * loss)
            else:
                content.append(None)
            loss = losses.style_loss(gram, Variable(self._style[i]))
            weight = real(tap.style) * self._style_scale[i]
            style.append(weight * loss / real(len(self._taps)))
            total += style[-1] if content[-1] is None else content[-1] + style[-1]
        variation = None
        if protocol.tv_weight:
            variation = real(protocol.tv_weight) * losses.total_variation(x)
            total += variation
        return _Terms(total, content, style, variation)

    def _clip(self) -> None:
        low, high = self._bounds
        data = self._picture.W.array
        if not self._protocol.pixelwise_clip:
            self._backend.xp.clip(data, low, high, out=data)
        elif self.device.is_gpu:
            data += _clip_kernel()(data, low, high) - data
        else:
            data += clip_by_pixel(data, low, high) - data

    # -- plumbing ---------------------------------------------------------

    def _send(self, array: npt.NDArray[Any]) -> Any:
        return self._backend.send(np.array(array, self.dtype))

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        type_check = self._protocol.cpu_type_check and not self.device.is_gpu
        with (
            # A loss that overflows is told by its value, not by warnings.
            np.errstate(over="ignore", invalid="ignore"),
            chainer.using_device(self._backend),
            chainer.using_config("train", False),
            chainer.using_config("type_check", type_check),
            chainer.using_config("use_cudnn", _CUDNN[self.device.cudnn]),
        ):
            yield


_CUDNN = {True: "auto", False: "never"}


@dataclass(frozen=True)
class _Terms:
    """The terms of one iteration as Chainer variables, graph and all."""

    total: Variable
    content: list[Variable | None]
    style: list[Variable]
    variation: Variable | None

    def reader(self) -> Callable[[], Losses]:
        """Return what reads the values; it keeps them, but not the graph."""
        total, variation = self.total.array, _array(self.variation)
        content = [_array(term) for term in self.content]
        style = [_array(term) for term in self.style]
        return lambda: Losses(
            total=float(total),
            content=tuple(float(value) for value in content),
            style=tuple(float(value) for value in style),
            variation=float(variation),
        )


def _array(term: Variable | None) -> Any:
    return 0.0 if term is None else term.array


def _clip_kernel() -> Any:
    """Clip by CuPy's elementwise kernel, as the 2016 code did on the GPU."""
    return cuda.elementwise(
        "T x, T low, T high",
        "T y",
        "y = x < low ? low : (x > high ? high : x)",
        "chainer_style_clip",
    )


def chainer_device(device: Device) -> Any:
    """Return Chainer's device.

    Raises
    ------
    UserError
        If CuPy, one of its libraries, the driver or the device is missing.
    """
    if not device.is_gpu:
        return chainer.get_device("@numpy")
    if (missing := devices.obstacle(device)) is not None:
        without = "leave --gpu out for the CPU"
        if missing.reason == devices.NO_CUDNN:
            without = "add --no-cudnn"
        raise UserError(
            f"{missing.reason} for --gpu {device.gpu}: {missing.cause}; "
            f"{missing.remedy}, or {without}"
        )
    return chainer.get_device(f"@cupy:{device.gpu}")
