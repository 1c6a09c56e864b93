"""Convolutions as graphs of cuDNN, by NVIDIA's frontend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainer_style.engines.cuda.formats import Format
from chainer_style.engines.cuda.steps import Convolution, Geometry, Launch

WORKSPACE = 1 << 30
"""Bytes that a convolution may work in."""

Graph = Any  # cudnn.pygraph, which carries no types
Tensor = Any
Frontend = Any  # the module cudnn


@dataclass(frozen=True)
class Variant:
    """A way in which cuDNN may be asked for a convolution.

    Attributes
    ----------
    fused
        Whether bias and ReLU, or the mask, are part of its graph; kernels of this
        package do the rest otherwise.
    turned
        Whether a gradient is the convolution with turned filters, for which cuDNN has
        more kernels than for gradients, and faster ones.
    spare
        Whether it is only of use where cuDNN knows no other.
    """

    fused: bool
    turned: bool = False
    spare: bool = False

    @property
    def name(self) -> str:
        """What it is remembered as."""
        return ("turned " if self.turned else "") + ("fused" if self.fused else "plain")


@dataclass(frozen=True)
class Built:
    """A graph with its tensors.

    Attributes
    ----------
    graph
        With the plans that may be tried.
    tensors
        By the field of the step that names its buffer.
    variant
        What it computes of the step, and how.
    """

    graph: Graph
    tensors: Mapping[str, Tensor]
    variant: Variant

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

    def variants(self, step: Convolution) -> list[Variant]:
        """Return the ways in which a step can be computed, that may be the fastest."""
        if step.way == "forward":
            return [Variant(fused=True), Variant(fused=False, spare=True)]
        turned = step.turned is not None
        # What cuDNN compiles for a mask takes seconds each. Without matrix units that
        # is ten times slower than its own; of gradients proper, twice.
        masked = step.mask is not None and self._format.tensor_cores
        found = [Variant(fused=True, turned=turned)] if masked else []
        found.append(Variant(fused=False))
        return [*found, Variant(fused=False, turned=True)] if turned else found

    def build(self, step: Convolution, variant: Variant) -> Built:
        """Return a step's graph, of one of its `variants`.

        Raises
        ------
        Exception
            The frontend's own, of kinds that differ from release to release, if cuDNN
            does not compute that.
        """
        graph = self._frontend.pygraph(
            name=f"{step.name} {step.way}",
            io_data_type=self._feature,
            intermediate_data_type=self._single,
            compute_data_type=self._single,
            handle=self._handle,
        )
        make = self._forward if step.way == "forward" else self._back
        tensors = make(graph, step, variant)
        graph.validate()
        if self._handle is not None:
            self._plan(graph)
        return Built(graph, tensors, variant)

    def _plan(self, graph: Graph) -> None:
        """Let cuDNN propose plans, and drop those that compute otherwise."""
        modes, notes = self._frontend.heur_mode, self._frontend.numerical_note
        graph.build_operation_graph()
        graph.create_execution_plans([modes.A, modes.FALLBACK])
        if not self._format.tensor_cores:
            graph.deselect_numeric_notes([notes.TENSOR_CORE, notes.DOWN_CONVERT_INPUTS])
        graph.deselect_workspace_greater_than(WORKSPACE)
        graph.check_support()

    def _forward(
        self, graph: Graph, step: Convolution, variant: Variant
    ) -> dict[str, Any]:
        g = step.geometry
        x = self._map(graph, "source", g.height, g.width, g.inputs)
        filters = self._filters(graph, g)
        y = graph.conv_fprop(image=x, weight=filters, **_window(g))
        tensors = {"source": x, "filters": filters}
        if variant.fused:
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

    def _back(
        self, graph: Graph, step: Convolution, variant: Variant
    ) -> dict[str, Any]:
        g = step.geometry
        gy = self._map(graph, "source", g.out_height, g.out_width, g.outputs)
        if variant.turned:
            filters = self._filters(graph, g.turned)
            gx = graph.conv_fprop(image=gy, weight=filters, **_window(g.turned))
            tensors = {"source": gy, "turned": filters}
        else:
            filters = self._filters(graph, g)
            gx = graph.conv_dgrad(loss=gy, filter=filters, **_window(g))
            tensors = {"source": gy, "filters": filters}
        if variant.fused:
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

    def _filters(self, graph: Graph, g: Geometry) -> Tensor:
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


def unfused(step: Convolution) -> list[Launch]:
    """Return what a convolution without bias, ReLU or mask leaves to be done."""
    g = step.geometry
    if step.way == "forward":
        count = g.out_height * g.out_width * g.outputs
        given = (step.target, step.bias, count, g.outputs, int(step.rectified))
        return [Launch("shift", given, count)]
    if step.mask is None:
        return []
    count = g.height * g.width * g.inputs
    return [Launch("join", (step.target, step.mask, step.target, count, 0), count)]


def _nhwc(height: int, width: int, channels: int) -> tuple[list[int], list[int]]:
    """Return extents and strides of a map, in the order N, C, H, W."""
    size = height * width * channels
    return [1, channels, height, width], [size, 1, width * channels, channels]


def _window(g: Geometry) -> dict[str, list[int]]:
    return {
        "padding": [g.pad, g.pad],
        "stride": [g.stride, g.stride],
        "dilation": [1, 1],
    }
