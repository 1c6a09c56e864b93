"""The same optimisation in PyTorch, written for speed on a CPU.

The network's nodes run as `chainer_style.trainers.with_pytorch` runs them. Beyond that:
no gradient but the picture's; ReLU in place where nobody reads its input; one product
instead of two for the gradient of a Gram matrix; Adam in one kernel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from chainer_style.engines.base import Engine, Losses, Problem, State
from chainer_style.engines.steps import learning_rate
from chainer_style.images import Array
from chainer_style.networks import INPUT, Network
from chainer_style.networks.graph import Tap
from chainer_style.networks.nodes import Dropout, ReLU
from chainer_style.trainers.with_pytorch import apply

Tensor = torch.Tensor

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What PyTorch's Adam calls them."""


class PyTorchLoop(Engine):
    """Style transfer on the CPU by PyTorch's autograd, in full single precision.

    Parameters
    ----------
    problem
        What to compute: absolute losses, without total variation.
    channels_last
        Whether features lie pixel by pixel instead of channel by channel.
    compiled
        Whether network and losses go through `torch.compile`.

    Raises
    ------
    ValueError
        If the protocol asks for losses that are not written here.
    """

    name = "pytorch"

    def __init__(
        self, problem: Problem, *, channels_last: bool = False, compiled: bool = False
    ) -> None:
        protocol = problem.protocol
        if protocol.relative_losses or protocol.tv_weight:
            raise ValueError("only the losses of protocol 2016 are written here")
        assert torch.get_float32_matmul_precision() == "highest"
        self.problem = problem
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        self._taps = problem.network.taps
        self._in_place = in_place(problem.network)
        self._weights = {
            layer: tuple(self._send(own[key]) for key in ("W", "b") if key in own)
            for layer, own in problem.weights.arrays.items()
        }
        with torch.no_grad():
            self._content = self._features(self._send(problem.content))
            style = self._features(self._send(problem.style))
            self._style = [gram_matrix(features) for features in style]
        self._loss = (
            torch.compile(self._terms, fullgraph=True, dynamic=False)
            if compiled
            else self._terms
        )
        self._low, self._high = map(torch.tensor, problem.canvas.bounds)
        self._picture = self._send(problem.start).requires_grad_()
        self._optimizer = torch.optim.Adam(
            [self._picture], lr=protocol.learning_rate, fused=True
        )
        self._iteration = 0

    def _send(self, array: npt.NDArray[Any]) -> Tensor:
        layout = self._layout if array.ndim == 4 else torch.contiguous_format
        return torch.tensor(array, dtype=torch.float32).contiguous(memory_format=layout)

    def _features(self, x: Tensor) -> list[Tensor]:
        """Return the features at every tap."""
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
            if tap.content:
                content.append(self._content_weight(tap) * F.mse_loss(features, target))
            weight = tap.style / len(self._taps)
            style.append(StyleLoss.apply(features, gram, weight))
        return sum(content) + sum(style), content, style

    def _content_weight(self, tap: Tap) -> float:
        return self.problem.protocol.content_weight * tap.content

    def evaluate(self, image: npt.NDArray[Any]) -> tuple[Losses, Array]:
        """Return the losses at a picture, and the gradient (see `Engine`)."""
        x = self._send(image).requires_grad_()
        terms = self._loss(x)
        terms[0].backward()
        return self._read(*terms), x.grad.numpy().copy()

    def step(self) -> Callable[[], Losses]:
        """Do one iteration (see `Engine`)."""
        self._optimizer.zero_grad(set_to_none=True)
        terms = self._loss(self._picture)
        terms[0].backward()
        rate = learning_rate(self.problem.protocol, self._iteration)
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.step()
        with torch.no_grad():
            self._picture.clamp_(self._low, self._high)
        self._iteration += 1
        return lambda: self._read(*terms)

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
        first, second = (_copied(kept.get(name, zeros)) for name in MOMENTS)
        done = int(kept.get("step", 0))
        return State(self.image, first, second, done, self._iteration)

    def restore(self, state: State) -> None:
        """Go on from a state (see `Engine`)."""
        moments = map(self._send, (state.first, state.second))
        kept = dict(zip(MOMENTS, moments, strict=True))
        step = torch.tensor(float(state.done))
        self._optimizer.state[self._picture] = {"step": step, **kept}
        with torch.no_grad():
            self._picture.copy_(self._send(state.image))
        self._iteration = state.scheduled

    def synchronize(self) -> None:
        """Return at once: on a CPU PyTorch has done what it was asked for."""


def _copied(tensor: Tensor) -> Array:
    return np.array(tensor.detach().numpy(), order="C")


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
    """Weighted mean squared difference of a Gram matrix and its target.

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
        scaled = difference * (gradient * ctx.factor)
        if _is_channels_last(features):
            pixels = features.permute(0, 2, 3, 1)
            return (pixels @ scaled).permute(0, 3, 1, 2), None, None
        return (scaled @ features.flatten(2)).view_as(features), None, None


def gram_matrix(features: Tensor) -> Tensor:
    """Return the Gram matrix of features, over their number of elements."""
    if _is_channels_last(features):
        flat = features.permute(0, 2, 3, 1).flatten(0, 2)
        return flat.T @ flat / features.numel()
    flat = features.flatten(0, 1).flatten(1)
    return flat @ flat.T / features.numel()


def _is_channels_last(features: Tensor) -> bool:
    return not features.is_contiguous() and features.is_contiguous(
        memory_format=torch.channels_last
    )
