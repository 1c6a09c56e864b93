"""What Chainer reads of ``cupy.cuda.cudnn``: numbers of cuDNN's headers, its version.

Numbers of functions that are not provided are here as well where Chainer reads them as
it is imported.
"""

from __future__ import annotations

from chainer_style.compat.cudnn import _libraries
from chainer_style.compat.cudnn._status import CuDNNError

__all__ = ["CuDNNError", "getVersion"]

CUDNN_DATA_FLOAT = 0
CUDNN_DATA_DOUBLE = 1
CUDNN_DATA_HALF = 2

CUDNN_TENSOR_NCHW = 0
CUDNN_TENSOR_NHWC = 1

CUDNN_NOT_PROPAGATE_NAN = 0
CUDNN_PROPAGATE_NAN = 1

CUDNN_ACTIVATION_SIGMOID = 0
CUDNN_ACTIVATION_RELU = 1
CUDNN_ACTIVATION_TANH = 2
CUDNN_ACTIVATION_CLIPPED_RELU = 3
CUDNN_ACTIVATION_ELU = 4

CUDNN_POOLING_MAX = 0
CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING = 1
CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING = 2
CUDNN_POOLING_MAX_DETERMINISTIC = 3

CUDNN_SOFTMAX_FAST = 0
CUDNN_SOFTMAX_ACCURATE = 1
CUDNN_SOFTMAX_LOG = 2

CUDNN_SOFTMAX_MODE_INSTANCE = 0
CUDNN_SOFTMAX_MODE_CHANNEL = 1

CUDNN_BN_MIN_EPSILON = 0.0
CUDNN_BATCHNORM_PER_ACTIVATION = 0
CUDNN_BATCHNORM_SPATIAL = 1
CUDNN_BATCHNORM_SPATIAL_PERSISTENT = 2

CUDNN_SAMPLER_BILINEAR = 0

CUDNN_RNN_RELU = 0
CUDNN_RNN_TANH = 1
CUDNN_LSTM = 2
CUDNN_GRU = 3

CUDNN_UNIDIRECTIONAL = 0
CUDNN_BIDIRECTIONAL = 1

CUDNN_LINEAR_INPUT = 0
CUDNN_SKIP_INPUT = 1


def getVersion() -> int:  # noqa: N802 - CuPy's name
    """Return cuDNN's number of its version: 92801 is 9.28.1."""
    return int(_libraries.library().cudnnGetVersion())
