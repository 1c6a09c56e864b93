"""A convolution, or one of its gradients, as a graph of NVIDIA's frontend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from chainer_style.compat.cudnn import _libraries, library
from chainer_style.compat.cudnn._descriptors import data_type, packed

Operation = Literal["fprop", "dgrad", "wgrad"]
Role = Literal["image", "filter", "output"]

RESULT: dict[Operation, Role] = {
    "fprop": "output",
    "dgrad": "image",
    "wgrad": "filter",
}
"""Which of the three arrays of a convolution each operation computes of the others."""

_FRONTEND_TYPES = {"float16": "HALF", "float32": "FLOAT", "float64": "DOUBLE"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Lengths and strides of an array, channels second: as cuDNN tells them.

    Attributes
    ----------
    lengths
        Pictures (or filters), channels, then what is moved over.
    strides
        Counted in elements, in the same order.
    """

    lengths: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, shape: Sequence[int], order: int) -> Layout:
        """Return that of a C-contiguous array.

        Parameters
        ----------
        shape
            The array's.
        order
            Whether its channels are second (``CUDNN_TENSOR_NCHW``) or last.

        Raises
        ------
        ValueError
            cuDNN has no such order.
        """
        lengths, strides = tuple(shape), packed(shape)
        if order == library.CUDNN_TENSOR_NCHW:
            return cls(lengths, strides)
        if order != library.CUDNN_TENSOR_NHWC:
            raise ValueError(f"unknown cudnnTensorFormat: {order}")
        return cls(
            (lengths[0], lengths[-1], *lengths[1:-1]),
            (strides[0], strides[-1], *strides[1:-1]),
        )


@dataclass(frozen=True, slots=True)
class Convolution:
    """All that tells one convolution from another, but the numbers in its arrays.

    Attributes
    ----------
    operation
        The convolution itself, or the gradient of its image or of its filter.
    dtype
        NumPy's name of the type of all three arrays.
    image, filter, output
        Groups follow from them: a filter has the channels of one group.
    pad, stride, dilation
        One number per axis that the filter is moved over.
    """

    operation: Operation
    dtype: str
    image: Layout
    filter: Layout
    output: Layout
    pad: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph of the frontend's, and which of its tensors is which array."""

    graph: Any
    tensors: dict[Role, Any]


def graph_of(convolution: Convolution, **where: Any) -> Graph:
    """Return a convolution's graph, which has no plan yet.

    Parameters
    ----------
    convolution
        Its types and lengths.
    where
        The device, in the frontend's words: ``handle=``, or ``device_property=`` of
        one that is not there.
    """
    types = _libraries.frontend().data_type
    data_type(convolution.dtype)  # says which types there are
    io = getattr(types, _FRONTEND_TYPES[convolution.dtype])
    # As CuPy did: float16 is summed up in float32.
    wide = types.DOUBLE if convolution.dtype == "float64" else types.FLOAT
    graph = _libraries.frontend().pygraph(
        io_data_type=io, intermediate_data_type=wide, compute_data_type=wide, **where
    )
    result = RESULT[convolution.operation]
    roles: tuple[Role, ...] = ("image", "filter", "output")
    tensors: dict[Role, Any] = {}
    for role in roles:
        if role != result:
            layout = getattr(convolution, role)
            tensors[role] = graph.tensor(
                name=role,
                dim=list(layout.lengths),
                stride=list(layout.strides),
                data_type=io,
            )
    moved = {
        "padding": list(convolution.pad),
        "stride": list(convolution.stride),
        "dilation": list(convolution.dilation),
    }
    match convolution.operation:
        case "fprop":
            made = graph.conv_fprop(
                image=tensors["image"], weight=tensors["filter"], **moved
            )
        case "dgrad":
            made = graph.conv_dgrad(
                loss=tensors["output"], filter=tensors["filter"], **moved
            )
        case "wgrad":
            made = graph.conv_wgrad(
                image=tensors["image"], loss=tensors["output"], **moved
            )
    layout = getattr(convolution, result)
    made.set_output(True).set_data_type(io)
    made.set_dim(list(layout.lengths)).set_stride(list(layout.strides))
    tensors[result] = made
    return Graph(graph, tensors)


def unwanted_notes(
    dtype: Any, *, deterministic: bool, tensor_core: str
) -> tuple[str, ...]:
    """Return what an algorithm must not do, in the frontend's names of its notes.

    Parameters
    ----------
    dtype
        The type of the arrays.
    deterministic, tensor_core
        Chainer's settings.

    Raises
    ------
    ValueError
        `tensor_core` is none of Chainer's three words.
    """
    match tensor_core:
        case "always":
            cores = True
        case "auto":
            cores = np.dtype(dtype) == np.float16
        case "never":
            cores = False
        case _:
            raise ValueError(
                'tensor_core_mode must be either of "always", "auto", or "never".'
            )
    notes: tuple[str, ...] = ()
    if not cores:
        # The last two are other ways to compute with fewer digits than are given.
        notes += "TENSOR_CORE", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION"
    if deterministic:
        notes += ("NONDETERMINISTIC",)
    return notes
