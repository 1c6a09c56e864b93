"""Matrix products by cuBLAS, called as the C library that it is.

CuPy's own calls refuse to be captured in a CUDA graph: they leave cuBLAS the choice of
its working space, which it must not allocate then. Here it is given one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

from chainer_style.engines.cuda.formats import Format
from chainer_style.engines.cuda.machine import Run
from chainer_style.engines.cuda.steps import Product

WORKSPACE = 32 << 20
"""Bytes that cuBLAS may work in: what its documentation asks for on Hopper."""

KEEP, TRANSPOSE = 0, 1
DEFAULT = -1
REAL = {32: 0, 16: 2, 17: 14}
"""cudaDataType of features."""
SINGLE, AS_TF32 = 68, 77
"""cublasComputeType: sums in single precision, of factors as they are or as TF32."""


class CublasError(RuntimeError):
    """cuBLAS said no."""


class Products:
    """Products on one stream.

    Parameters
    ----------
    library
        cuBLAS, loaded.
    stream
        Handle of the stream.
    workspace
        Address of `WORKSPACE` bytes.
    form
        Of features.
    """

    def __init__(self, library: Any, stream: int, workspace: int, form: Format) -> None:
        self._library, self._format = library, form
        self._handle = ctypes.c_void_p()
        self._call("cublasCreate_v2", ctypes.byref(self._handle))
        self._call("cublasSetStream_v2", self._handle, ctypes.c_void_p(stream))
        # After the stream, which takes cuBLAS back to a space of its own.
        space = ctypes.c_void_p(workspace), ctypes.c_size_t(WORKSPACE)
        self._call("cublasSetWorkspace_v2", self._handle, *space)

    def _call(self, name: str, *arguments: Any) -> None:
        if status := getattr(self._library, name)(*arguments):
            raise CublasError(f"{name} failed with status {status}")

    def product(self, step: Product, addresses: Mapping[str, int]) -> Run:
        """Return what runs a product."""
        arguments = self._arguments(step, addresses)

        def run() -> None:
            self._call("cublasGemmEx", self._handle, *arguments)

        return run

    def _arguments(self, step: Product, addresses: Mapping[str, int]) -> list[Any]:
        """Return what ``cublasGemmEx`` takes behind the handle.

        cuBLAS reads matrices column by column. To it, ours are transposed, and so
        is the result if the factors change places.
        """
        kind = REAL[self._format.feature]
        made = REAL[32] if step.transposed else kind
        tf32 = self._format.tensor_cores and self._format.feature == 32
        first = TRANSPOSE if step.transposed else KEEP
        length = step.rows if step.transposed else step.depth
        one, more = ctypes.c_float(1), ctypes.c_float(1 if step.adding else 0)
        whole = ctypes.c_int
        left, right, out = (
            ctypes.c_void_p(addresses[name])
            for name in (step.left, step.right, step.out)
        )
        return [
            *map(whole, (KEEP, first, step.columns, step.rows, step.depth)),
            ctypes.byref(one),
            *(right, whole(kind), whole(step.columns)),
            *(left, whole(kind), whole(length)),
            ctypes.byref(more),
            *(out, whole(made), whole(step.columns)),
            *map(whole, (AS_TF32 if tf32 else SINGLE, DEFAULT)),
        ]

    def close(self) -> None:
        """Let the handle go."""
        self._call("cublasDestroy_v2", self._handle)


def load(runtime_version: int) -> Any:
    """Return cuBLAS of a CUDA runtime, whose number is 12090 for 12.9.

    Raises
    ------
    OSError
        If it is not there.
    """
    return ctypes.CDLL(f"libcublas.so.{runtime_version // 1000}")
