"""Convolutions and their gradients, with the arguments of ``cupy.cudnn``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainer_style.compat.cudnn import _double, _graphs, _plans, library
from chainer_style.compat.cudnn._graphs import Convolution, Layout, Operation, Role
from chainer_style.compat.cudnn._plans import Choice, Plan
from chainer_style.compat.cudnn._state import get_handle, get_max_workspace_size


def convolution_forward(
    x: Any,
    W: Any,
    b: Any,
    y: Any,
    pad: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int] | None,
    groups: int,
    *,
    auto_tune: bool,
    tensor_core: str,
    d_layout: int = library.CUDNN_TENSOR_NCHW,
    w_layout: int = library.CUDNN_TENSOR_NCHW,
) -> None:
    """Convolve `x` with `W` into `y`, and add `b` where it is not None."""
    _compute(
        "fprop",
        {"image": x, "filter": W, "output": y},
        (pad, stride, dilation, groups),
        (d_layout, w_layout),
        # Chainer does not say: all that cuDNN 8 had for this were.
        deterministic=True,
        auto_tune=auto_tune,
        tensor_core=tensor_core,
    )
    _add_bias(y, b, d_layout)


def convolution_backward_data(
    W: Any,
    x: Any,
    b: Any,
    y: Any,
    pad: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int] | None,
    groups: int,
    *,
    deterministic: bool,
    auto_tune: bool,
    tensor_core: str,
    d_layout: int = library.CUDNN_TENSOR_NCHW,
    w_layout: int = library.CUDNN_TENSOR_NCHW,
) -> None:
    """Take a convolution's output `x` back to its image `y`, and add `b`."""
    _compute(
        "dgrad",
        {"image": y, "filter": W, "output": x},
        (pad, stride, dilation, groups),
        (d_layout, w_layout),
        deterministic=deterministic,
        auto_tune=auto_tune,
        tensor_core=tensor_core,
    )
    _add_bias(y, b, d_layout)


def convolution_backward_filter(
    x: Any,
    gy: Any,
    gW: Any,
    pad: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int] | None,
    groups: int,
    *,
    deterministic: bool,
    auto_tune: bool,
    tensor_core: str,
    d_layout: int = library.CUDNN_TENSOR_NCHW,
    w_layout: int = library.CUDNN_TENSOR_NCHW,
) -> None:
    """Compute the gradient `gW` of a filter, given that of the output."""
    _compute(
        "wgrad",
        {"image": x, "filter": gW, "output": gy},
        (pad, stride, dilation, groups),
        (d_layout, w_layout),
        deterministic=deterministic,
        auto_tune=auto_tune,
        tensor_core=tensor_core,
    )


def describe(
    operation: Operation,
    arrays: dict[Role, Any],
    moved: tuple[Sequence[int], Sequence[int], Sequence[int] | None, int],
    orders: tuple[int, int],
) -> Convolution:
    """Return what is computed.

    Parameters
    ----------
    operation
        The convolution, or one of its gradients.
    arrays
        Its three arrays, C-contiguous.
    moved
        Padding, stride, dilation and the number of groups.
    orders
        Where the channels are, in pictures and in the filter.

    Raises
    ------
    ValueError
        The filter's channels times groups are not the image's, or the numbers of axes
        differ.
    """
    pad, stride, dilation, groups = moved
    of_pictures, of_filter = orders
    image = Layout.of(arrays["image"].shape, of_pictures)
    kernel = Layout.of(arrays["filter"].shape, of_filter)
    dilation = (1,) * len(pad) if dilation is None else dilation
    if not len(pad) == len(stride) == len(dilation) == len(image.lengths) - 2:
        raise ValueError("pad, stride and dilation must be of same length")
    if kernel.lengths[1] * groups != image.lengths[1]:
        raise ValueError(
            f"{groups} groups of {kernel.lengths[1]} channels are not "
            f"{image.lengths[1]} channels"
        )
    return Convolution(
        operation,
        arrays["image"].dtype.name,
        image,
        kernel,
        Layout.of(arrays["output"].shape, of_pictures),
        tuple(map(int, pad)),
        tuple(map(int, stride)),
        tuple(map(int, dilation)),
    )


def _compute(
    operation: Operation,
    arrays: dict[Role, Any],
    moved: tuple[Sequence[int], Sequence[int], Sequence[int] | None, int],
    orders: tuple[int, int],
    *,
    deterministic: bool,
    auto_tune: bool,
    tensor_core: str,
) -> None:
    import cupy

    result = _graphs.RESULT[operation]
    if not arrays[result].flags.c_contiguous:
        raise ValueError("the result must be a c-contiguous array")
    arrays = {role: cupy.ascontiguousarray(array) for role, array in arrays.items()}
    if not all(array.size for array in arrays.values()):
        arrays[result].fill(0)  # a sum of nothing, if it has elements at all
        return
    if arrays["image"].dtype == np.float64:
        _compute_double(operation, arrays, moved, orders, deterministic)
        return
    convolution = describe(operation, arrays, moved, orders)
    choice = Choice(
        _graphs.unwanted_notes(
            convolution.dtype, deterministic=deterministic, tensor_core=tensor_core
        ),
        get_max_workspace_size(),
        tried=bool(auto_tune),
    )
    handle = get_handle()
    pointers = {role: int(array.data.ptr) for role, array in arrays.items()}

    def run(plan: Plan) -> None:
        # CuPy's pool gives memory back in the order of the stream.
        workspace = cupy.cuda.alloc(plan.workspace)
        plan.run(pointers, int(workspace.ptr), handle)

    def time(plan: Plan) -> float:
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        run(plan)
        end.record()
        end.synchronize()
        return float(cupy.cuda.get_elapsed_time(start, end))

    device = cupy.cuda.Device().id
    run(_plans.plan_for(device, handle, convolution, choice, time))


def _compute_double(
    operation: Operation,
    arrays: dict[Role, Any],
    moved: tuple[Sequence[int], Sequence[int], Sequence[int] | None, int],
    orders: tuple[int, int],
    deterministic: bool,
) -> None:
    """Compute in double precision, channels first wherever they are."""
    import cupy

    last = dict.fromkeys(("image", "output"), orders[0]) | {"filter": orders[1]}
    first: dict[Role, Any] = {
        role: cupy.ascontiguousarray(cupy.moveaxis(array, -1, 1))
        if last[role] == library.CUDNN_TENSOR_NHWC
        else array
        for role, array in arrays.items()
    }
    nchw = (library.CUDNN_TENSOR_NCHW,) * 2
    convolution = describe(operation, first, moved, nchw)
    _double.compute(convolution, first, deterministic=deterministic)
    result = _graphs.RESULT[operation]
    if first[result] is not arrays[result]:
        arrays[result][...] = cupy.moveaxis(first[result], 1, -1)


def _add_bias(y: Any, b: Any, order: int) -> None:
    if b is not None:
        around = (1,) * (y.ndim - 2)
        last = order == library.CUDNN_TENSOR_NHWC
        y += b.reshape((1, *around, -1) if last else (1, -1, *around))
