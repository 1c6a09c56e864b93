"""What Chainer calls of ``cupy.cudnn``, with the same arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainer_style.compat.cudnn._convolution import (
    convolution_backward_data,
    convolution_backward_filter,
    convolution_forward,
)
from chainer_style.compat.cudnn._elementary import (
    activation_backward,
    activation_forward,
    softmax_backward,
    softmax_forward,
)
from chainer_style.compat.cudnn._pooling import pooling_backward, pooling_forward
from chainer_style.compat.cudnn._state import (
    get_handle,
    get_max_workspace_size,
    set_max_workspace_size,
)

__all__ = [
    "activation_backward",
    "activation_forward",
    "convolution_backward_data",
    "convolution_backward_filter",
    "convolution_forward",
    "get_handle",
    "get_max_workspace_size",
    "is_tensor_core_available",
    "pooling_backward",
    "pooling_forward",
    "set_max_workspace_size",
    "softmax_backward",
    "softmax_forward",
]


def is_tensor_core_available(dtype: Any) -> bool:
    """Tell whether the current device has tensor cores for this type: float16's.

    CuPy 13 said so of compute capability 7.0 only, then the only one with them.
    """
    import cupy

    capability = int(cupy.cuda.Device().compute_capability)
    return np.dtype(dtype) == np.float16 and capability >= 70
