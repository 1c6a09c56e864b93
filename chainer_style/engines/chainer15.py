"""What Chainer 1.5 and the program of 2016 held in memory, on today's Chainer.

For the experiment of the 512 pixels. Nothing that is computed changes, only what stays
in memory meanwhile:

* A convolution kept its matrix of columns, as large as its input times the size of the
  kernel, from forward to backward (chainer v1.5.0,
  functions/connection/convolution_2d.py, ``self.col``).
* A graph kept the values of all its variables, whether backward reads them or not
  (chainer v1.5.0, variable.py and function.py: a function holds its input variables).
* The program loaded the whole file of a network: its fully connected layers are never
  run, but are in memory, and so are their gradients (mattya/chainer-gogh 4aaa123,
  models.py; chainer v1.5.0, link.py, ``add_param``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import chainer
from chainer import backend
from chainer.backends import cuda
from chainer.utils import conv

from chainer_style import networks
from chainer_style.engines.define_by_run import ChainerEngine
from chainer_style.functions import apply
from chainer_style.links import NetworkChain, layer_link
from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import Conv
from chainer_style.weights import Arrays

Array = Any  # of NumPy or CuPy
Variable = Any  # chainer.Variable, which carries no types


class Convolution2D(chainer.Function):  # type: ignore[misc]
    """A convolution that keeps its column matrix until the graph is let go.

    Parameters
    ----------
    node
        Its geometry; without groups, which Chainer 1.5 did not have.
    """

    def __init__(self, node: Conv) -> None:
        super().__init__()
        self._window = (node.kernel, node.kernel, node.stride, node.stride)
        self._pads = (node.pad, node.pad)
        self.kept: Sequence[Array] = ()
        """Whatever else the graph is to keep."""

    def forward(self, inputs: tuple[Array, ...]) -> tuple[Array]:
        """Return the output of x, W and b."""
        x, W, b = inputs
        im2col = conv.im2col_gpu if _on_gpu(x) else conv.im2col_cpu
        self.col = im2col(x, *self._window, *self._pads)
        xp = backend.get_array_module(x)
        y = xp.tensordot(self.col, W, ((1, 2, 3), (1, 2, 3)))
        y += b
        return (xp.rollaxis(y, 3, 1),)

    def backward(
        self, inputs: tuple[Array, ...], gradients: tuple[Array]
    ) -> tuple[Array, Array, Array]:
        """Return the gradients of x, W and b."""
        x, W, _ = inputs
        (gy,) = gradients
        xp = backend.get_array_module(x)
        gW = xp.tensordot(gy, self.col, ((0, 2, 3), (0, 4, 5)))
        gcol = xp.rollaxis(xp.tensordot(W, gy, (0, 1)), 3)
        col2im = conv.col2im_gpu if _on_gpu(x) else conv.col2im_cpu
        gx = col2im(gcol, *self._window[2:], *self._pads, *x.shape[2:])
        return gx, gW, gy.sum(axis=(0, 2, 3))


def _on_gpu(array: Array) -> bool:
    return bool(cuda.available and isinstance(array, cuda.ndarray))


class Chain15(NetworkChain):
    """A network's chain that holds what Chainer 1.5 held, and the file's other layers.

    Parameters
    ----------
    network
        The part of a declared network that is run.
    arrays
        Its weights; the layers that are not run are zero.
    trainable
        Must be true, as it was for every link of Chainer 1.5.
    """

    def __init__(
        self, network: Network, arrays: Arrays | None = None, *, trainable: bool = True
    ) -> None:
        if not trainable:
            raise ValueError("Chainer 1.5 had gradients of all weights")
        super().__init__(network, arrays)
        whole = networks.get(network.name)
        for layer, shapes in whole.parameter_shapes().items():
            if layer not in self._children:
                zeros = {"W": 0, "b": 0}
                self.add_link(layer, layer_link(whole[layer], shapes["W"], zeros))

    def __call__(self, x: Variable, nodes: Sequence[str]) -> list[Variable]:
        """Run the graph and return the outputs of the named nodes."""
        values = {INPUT: x}
        last: Convolution2D | None = None
        for node in self.network.upto(*nodes).nodes:
            inputs = [values[name] for name in node.inputs]
            if isinstance(node, Conv):
                last = Convolution2D(node)
                values[node.name] = last(*inputs, *self._parameters(node.name))
            else:
                values[node.name] = apply(node, *inputs)
        if last is not None:
            # Arrays, not variables: those would know the function in turn.
            last.kept = [value.array for value in values.values()]
        return [values[name] for name in nodes]


class Engine15(ChainerEngine):
    """The reference engine with the memory of 2016."""

    name = "chainer, with the memory of 1.5"
    chain_type = Chain15
