"""The same optimisation in PyTorch, written for speed on a CPU or a CUDA device.

The network's nodes run as `chainer_style.trainers.with_pytorch` runs them. Beyond that:
no gradient but the picture's; ReLU in place where nobody reads its input; one product
instead of two for the gradient of a Gram matrix; Adam in one kernel. On a CUDA device
cuDNN tries its algorithms before it chooses one.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from chainer_style.engines.base import Engine, Losses, Problem, State
from chainer_style.engines.steps import EPSILON, learning_rate
from chainer_style.images import Array
from chainer_style.networks import INPUT, Network
from chainer_style.networks.graph import Tap
from chainer_style.networks.nodes import Dropout, ReLU
from chainer_style.trainers.with_pytorch import apply

Tensor = torch.Tensor

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What PyTorch's Adam calls them."""

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Precisions in which the network computes, and nothing else."""

LARGEST, STEP, ROOM = 40, 4, 4
"""Powers of two: what the loss is multiplied by at first in fp16, by how much less in
every other try, and what is left for gradients that grow."""


class PyTorchLoop(Engine):
    """Style transfer by PyTorch's autograd.

    Parameters
    ----------
    problem
        What to compute: absolute losses, without total variation.
    channels_last
        Whether features lie pixel by pixel instead of channel by channel.
    compiled
        Whether network and losses go through `torch.compile`, or the mode in which.
    device
        ``cpu``, or a CUDA device.
    precision
        ``float32``; ``tf32`` of products on a CUDA device; ``bf16`` or ``fp16`` of the
        network, by autocast. Gram matrices, losses, picture and Adam stay in float32.

    Raises
    ------
    ValueError
        If the protocol asks for losses that are not written here.
    """

    name = "pytorch"

    def __init__(
        self,
        problem: Problem,
        *,
        channels_last: bool = False,
        compiled: bool | str = False,
        device: str = "cpu",
        precision: str = "float32",
    ) -> None:
        protocol = problem.protocol
        if protocol.relative_losses or protocol.tv_weight:
            raise ValueError("only the losses of protocol 2016 are written here")
        self.problem = problem
        self._device = torch.device(device)
        self._half = HALVES.get(precision)
        self._settle(precision)
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        self._taps = problem.network.taps
        self._in_place = in_place(problem.network)
        # Autocast would convert weights anew in every iteration.
        self._weights = {
            layer: tuple(
                self._send(own[key], self._half) for key in ("W", "b") if key in own
            )
            for layer, own in problem.weights.arrays.items()
        }
        self._set_targets()
        self._loss = self._compiled(compiled) if compiled else self._terms
        # Given to autograd, which would make a one in every iteration otherwise.
        self._unit = torch.ones((), device=self._device)
        self._scale = self._fitting()
        self._unit.fill_(self._scale)
        self._low, self._high = (
            torch.tensor(bound, device=self._device) for bound in problem.canvas.bounds
        )
        self._picture = self._send(problem.start).requires_grad_()
        self._optimizer = self._adam()
        self._iteration = 0

    def _settle(self, precision: str) -> None:
        """Tell PyTorch what it may do, of this whole process."""
        if self._device.type == "cpu":
            if precision == "tf32":
                raise ValueError("a CPU has no TF32")
            assert torch.get_float32_matmul_precision() == "highest"
            return
        exact = precision == "float32"
        torch.set_float32_matmul_precision("highest" if exact else "high")
        torch.backends.cudnn.allow_tf32 = not exact
        torch.backends.cudnn.benchmark = True

    def _set_targets(self) -> None:
        """Compute the content features that count, and the style's Gram matrices."""
        with torch.no_grad():
            content = self._features(self._send(self.problem.content))
            self._content = [
                features.float() if tap.content else None
                for tap, features in zip(self._taps, content, strict=True)
            ]
            del content
            style = self._features(self._send(self.problem.style))
            self._style = [gram_matrix(features) for features in style]

    def _compiled(self, mode: bool | str) -> Callable[[Tensor], Any]:
        """Return network and losses, to be compiled when they are first called."""
        if self._device.type == "cuda":
            # A CUDA graph within would copy them in every iteration otherwise.
            kept = [*self._style, *(t for t in self._content if t is not None)]
            for own in self._weights.values():
                kept += own
            for tensor in kept:
                torch._dynamo.mark_static_address(tensor)
        how = mode if isinstance(mode, str) else None
        return torch.compile(self._terms, fullgraph=True, dynamic=False, mode=how)

    def _fitting(self) -> float:
        """Return what the loss is multiplied by, for no gradient to leave fp16."""
        if self._half is not torch.float16:
            return 1.0
        for power in range(LARGEST, -1, -STEP):
            self._unit.fill_(2.0**power)
            x = self._send(self.problem.start).requires_grad_()
            self._loss(x)[0].backward(self._unit)
            if torch.isfinite(x.grad).all():
                return 2.0 ** (power - ROOM)
        raise ValueError("features or gradients are too large for fp16")

    def _adam(self) -> torch.optim.Optimizer:
        # Adam does not care by what a gradient is multiplied, if its epsilon is, too.
        return torch.optim.Adam(
            [self._picture],
            lr=self.problem.protocol.learning_rate,
            eps=EPSILON * self._scale,
            fused=True,
        )

    def _send(
        self, array: npt.NDArray[Any], dtype: torch.dtype | None = None
    ) -> Tensor:
        layout = self._layout if array.ndim == 4 else torch.contiguous_format
        sent = torch.tensor(array, dtype=dtype or torch.float32, device=self._device)
        return sent.contiguous(memory_format=layout)

    def _features(self, x: Tensor) -> list[Tensor]:
        """Return the features at every tap."""
        with self._casting():
            return self._run(x)

    def _casting(self) -> contextlib.AbstractContextManager[None]:
        if self._half is None:
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, self._half, cache_enabled=False)

    def _run(self, x: Tensor) -> list[Tensor]:
        tapped = [tap.node for tap in self._taps]
        values = {INPUT: x}
        for node in self.problem.network.nodes:
            inputs = [values[name] for name in node.inputs]
            if isinstance(node, Dropout):  # at rest, as nothing is trained
                values[node.name] = inputs[0]
            elif isinstance(node, ReLU) and node.name in self._in_place:
                values[node.name] = F.relu_(inputs[0])
            else:
                own = self._weights.get(node.name, ())
                values[node.name] = apply(node, *inputs, *own)
        return [values[name] for name in tapped]

    def _terms(self, x: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Return the loss to minimise, and its content and style terms."""
        content, style = [], []
        taps = zip(
            self._taps, self._features(x), self._content, self._style, strict=True
        )
        for tap, features, target, gram in taps:
            if target is not None:
                loss = F.mse_loss(features.float(), target)
                content.append(self._content_weight(tap) * loss)
            weight = tap.style / len(self._taps)
            style.append(StyleLoss.apply(features, gram, weight))
        return functools.reduce(torch.add, [*content, *style]), content, style

    def _content_weight(self, tap: Tap) -> float:
        return self.problem.protocol.content_weight * tap.content

    def evaluate(self, image: npt.NDArray[Any]) -> tuple[Losses, Array]:
        """Return the losses at a picture, and the gradient (see `Engine`)."""
        x = self._send(image).requires_grad_()
        terms = self._loss(x)
        terms[0].backward(self._unit)
        return self._read(*terms), _copied(x.grad) / np.float32(self._scale)

    def step(self) -> Callable[[], Losses]:
        """Do one iteration (see `Engine`)."""
        rate = learning_rate(self.problem.protocol, self._iteration)
        self._optimizer.param_groups[0]["lr"] = rate
        terms = self._iterate()
        self._iteration += 1
        return lambda: self._read(*terms)

    def _iterate(self) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Ask for one iteration, and return its losses."""
        self._optimizer.zero_grad(set_to_none=True)
        terms = self._loss(self._picture)
        terms[0].backward(self._unit)
        self._optimizer.step()
        with torch.no_grad():
            self._picture.clamp_(self._low, self._high)
        return terms

    def _read(
        self, total: Tensor, content: list[Tensor], style: list[Tensor]
    ) -> Losses:
        values = iter(content)
        return Losses(
            total=float(total.detach()),
            content=tuple(
                float(next(values).detach()) if tap.content else 0.0
                for tap in self._taps
            ),
            style=tuple(float(term.detach()) for term in style),
            variation=0.0,
        )

    @property
    def image(self) -> Array:
        """A copy of the picture as it stands (see `Engine`)."""
        return _copied(self._picture)

    @property
    def state(self) -> State:
        """How far it is, in copies (see `Engine`)."""
        kept = self._optimizer.state[self._picture]
        zeros = torch.zeros_like(self._picture)
        first, second = (
            _copied(kept.get(name, zeros)) / np.float32(self._scale**power)
            for power, name in enumerate(MOMENTS, 1)
        )
        done = int(kept.get("step", 0))
        return State(self.image, first, second, done, self._iteration)

    def restore(self, state: State) -> None:
        """Go on from a state (see `Engine`)."""
        moments = (
            self._send(moment) * self._scale**power
            for power, moment in enumerate((state.first, state.second), 1)
        )
        kept = dict(zip(MOMENTS, moments, strict=True))
        step = torch.tensor(float(state.done), device=self._device)
        self._optimizer.state[self._picture] = {"step": step, **kept}
        with torch.no_grad():
            self._picture.copy_(self._send(state.image))
        self._iteration = state.scheduled

    def synchronize(self) -> None:
        """Wait for a CUDA device; on a CPU PyTorch has done what it was asked for."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def _copied(tensor: Tensor) -> Array:
    return np.array(tensor.detach().cpu().numpy(), order="C")


def in_place(network: Network) -> frozenset[str]:
    """Return the ReLUs that may write over what they read: nothing else reads it."""
    read = Counter(name for node in network.nodes for name in node.inputs)
    tapped = {INPUT, *(tap.node for tap in network.taps)}
    return frozenset(
        node.name
        for node in network.nodes
        if isinstance(node, ReLU)
        and node.inputs[0] not in tapped
        and read[node.inputs[0]] == 1
    )


class StyleLoss(torch.autograd.Function):
    """Weighted mean squared difference of a Gram matrix and its target, in float32.

    Autograd does not know that a Gram matrix is symmetric, and would take two products
    for its gradient.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, target: Tensor, weight: float) -> Tensor:
        """Return the loss."""
        difference = gram_matrix(features) - target
        ctx.save_for_backward(features, difference)
        ctx.factor = 4 * weight / (target.numel() * features.numel())
        return weight * difference.square().mean()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient with respect to the features, in their layout."""
        features, difference = ctx.saved_tensors
        scaled = (difference * (gradient * ctx.factor)).to(features.dtype)
        if _is_channels_last(features):
            pixels = features.permute(0, 2, 3, 1)
            return (pixels @ scaled).permute(0, 3, 1, 2), None, None
        return (scaled @ features.flatten(2)).view_as(features), None, None


def gram_matrix(features: Tensor) -> Tensor:
    """Return the Gram matrix of features, over their number of elements."""
    if _is_channels_last(features):
        flat = features.permute(0, 2, 3, 1).flatten(0, 2)
        return product(flat.T, flat) / features.numel()
    flat = features.flatten(0, 1).flatten(1)
    return product(flat, flat.T) / features.numel()


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return a matrix product whose sums are in float32, or what its factors are in."""
    if a.dtype not in HALVES.values():
        return a @ b
    if a.is_cuda:
        return torch.mm(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()


def _is_channels_last(features: Tensor) -> bool:
    return not features.is_contiguous() and features.is_contiguous(
        memory_format=torch.channels_last
    )
