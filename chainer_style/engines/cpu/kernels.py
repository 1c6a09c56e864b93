"""The kernels compiled: once, then read from a folder of this user."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba import types
from numba.core.caching import FunctionCache

from chainer_style.engines.cpu import interpreter
from chainer_style.engines.cpu.steps import STEP

_RECORD = numba.from_dtype(STEP)
_SIGNATURE = types.void(
    types.Array(_RECORD, 1, "C"),
    types.int64,
    types.int64[::1],
    types.int64[::1],
    types.int64,
    types.int64,
)
