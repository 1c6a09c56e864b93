"""Convolutions as graphs of cuDNN, by NVIDIA's frontend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainer_style.engines.cuda.formats import Format
from chainer_style.engines.cuda.steps import Convolution

WORKSPACE = 256 << 20
"""Bytes that a convolution may work in."""

Graph = Any  # cudnn.pygraph, which carries no types
Tensor = Any
Frontend = Any  # the module cudnn


@dataclass(frozen=True)
class Built:
    """A graph with its tensors.

    Attributes
    ----------
    graph
        With the plans that may be tried.
    tensors
        By the field of the step that names its buffer.
    fused
        Whether bias and ReLU, or the mask, are part of it.
    """

    graph: Graph
    tensors: Mapping[str, Tensor]
    fused: bool

    def pack(self, step: Convolution, addresses: Mapping[str, int]) -> dict[int, int]:
        """Return the addresses of a step's buffers as plans take them."""
        return {
            tensor.get_uid(): addresses[getattr(step, field)]
            for field, tensor in self.tensors.items()
        }


class Builder:
    """Builds the graphs of convolutions.

    Parameters
    ----------
    frontend
        The module ``cudnn``.
    form
        Of features.
    handle
        cuDNN's handle; None: graphs are checked, and have no plans.
    """

    def __init__(self, frontend: Frontend, form: Format, handle: int | None) -> None:
        self._frontend, self._format, self._handle = frontend, form, handle
        types = frontend.data_type
        self._single = types.FLOAT
        named = {32: types.FLOAT, 16: types.HALF, 17: types.BFLOAT16}
        self._feature = named[form.feature]

    def build(self, step: Convolution) -> Built:
        """Return a step's graph: with all that belongs to it, or without.

        Raises
        ------
        Exception
            The frontend's own, if cuDNN has no way to compute even the convolution.
        """
        extras = step.way == "forward" or step.mask is not None
        if extras:
            try:
                return self._built(step, fused=True)
            except Exception:  # cuDNN's kinds of errors differ from release to release
                if self._handle is None:
                    raise
        return self._built(step, fused=False)

    def _built(self, step: Convolution, *, fused: bool) -> Built:
        graph = self._frontend.pygraph(
            name=f"{step.name} {step.way}",
            io_data_type=self._feature,
            intermediate_data_type=self._single,
            compute_data_type=self._single,
            handle=self._handle,
        )
        make = self._forward if step.way == "forward" else self._back
        tensors = make(graph, step, fused)
        graph.validate()
        if self._handle is not None:
            self._plan(graph)
        return Built(graph, tensors, fused)

    def _plan(self, graph: Graph) -> None:
        """Let cuDNN propose plans, and drop those that compute otherwise."""
        modes, notes = self._frontend.heur_mode, self._frontend.numerical_note
        graph.build_operation_graph()
        graph.create_execution_plans([modes.A, modes.FALLBACK])
        if not self._format.tensor_cores:
            graph.deselect_numeric_notes([notes.TENSOR_CORE, notes.DOWN_CONVERT_INPUTS])
        graph.deselect_workspace_greater_than(WORKSPACE)
        graph.check_support()

    def _forward(self, graph: Graph, step: Convolution, fused: bool) -> dict[str, Any]:
        g = step.geometry
        x = self._map(graph, "source", g.height, g.width, g.inputs)
        filters = self._filters(graph, step)
        y = graph.conv_fprop(image=x, weight=filters, **_window(step))
        tensors = {"source": x, "filters": filters}
        if fused:
            dim, stride = _nhwc(1, 1, g.outputs)
            bias = graph.tensor(
                name="bias", dim=dim, stride=stride, data_type=self._single
            )
            tensors["bias"] = bias
            y = graph.bias(input=y, bias=bias)
            if step.rectified:
                y = graph.relu(input=y)
        self._out(y, g.out_height, g.out_width, g.outputs)
        return {**tensors, "target": y}

    def _back(self, graph: Graph, step: Convolution, fused: bool) -> dict[str, Any]:
        g = step.geometry
        gy = self._map(graph, "source", g.out_height, g.out_width, g.outputs)
        filters = self._filters(graph, step)
        gx = graph.conv_dgrad(loss=gy, filter=filters, **_window(step))
        tensors = {"source": gy, "filters": filters}
        if fused:
            # What a convolution gives back depends on more than its operands.
            dim, stride = _nhwc(g.height, g.width, g.inputs)
            gx.set_dim(dim).set_stride(stride).set_data_type(self._single)
            x = self._map(graph, "mask", g.height, g.width, g.inputs)
            tensors["mask"] = x
            gx = graph.relu_backward(loss=gx, input=x)
        self._out(gx, g.height, g.width, g.inputs)
        return {**tensors, "target": gx}

    def _map(
        self, graph: Graph, name: str, height: int, width: int, channels: int
    ) -> Tensor:
        dim, stride = _nhwc(height, width, channels)
        return graph.tensor(name=name, dim=dim, stride=stride, data_type=self._feature)

    def _filters(self, graph: Graph, step: Convolution) -> Tensor:
        g = step.geometry
        depth, side = g.inputs // g.groups, g.kernel
        return graph.tensor(
            name="filters",
            dim=[g.outputs, depth, side, side],
            stride=[side * side * depth, 1, side * depth, depth],
            data_type=self._feature,
        )

    def _out(self, tensor: Tensor, height: int, width: int, channels: int) -> None:
        dim, stride = _nhwc(height, width, channels)
        tensor.set_dim(dim).set_stride(stride)
        tensor.set_output(True).set_data_type(self._feature)


def _nhwc(height: int, width: int, channels: int) -> tuple[list[int], list[int]]:
    """Return extents and strides of a map, in the order N, C, H, W."""
    size = height * width * channels
    return [1, channels, height, width], [size, 1, width * channels, channels]


def _window(step: Convolution) -> dict[str, list[int]]:
    g = step.geometry
    return {
        "padding": [g.pad, g.pad],
        "stride": [g.stride, g.stride],
        "dilation": [1, 1],
    }
