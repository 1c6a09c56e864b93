"""Matrix products and memory streams, ready to be timed, on the CPU or on a GPU."""

from __future__ import annotations

import abc
import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy

from chainer_style import provenance

FLOAT = 4
"""Bytes of a number: all is in single precision, as the networks are."""

TIMES_THE_CACHE = 4
"""How much larger than the last cache an array is at least; STREAM asks for that."""

LEAST, LEAST_ON_GPU = 64 << 20, 1 << 30
"""Bytes of an array at least, where there is memory enough."""

SHARE = 16
"""An array takes no more than this part of the memory."""

BLOCK = 1 << 15
"""Numbers that a triad takes at once: its product then stays in a core's cache."""

FACTOR = 3.0
"""The scalar of the triad; the one of STREAM."""

ON_GPU = ("float32", "tf32", "bf16", "fp16")
"""Precisions that a product on a GPU can have; the sums are float32."""

TENSOR_CORES = 99
"""``CUBLAS_GEMM_DEFAULT_TENSOR_OP``, for `cublasGemmEx`."""

_TYPES = {"float32": 0, "tf32": 0, "bf16": 14, "fp16": 2}
"""``cudaDataType`` of matrices: ``CUDA_R_32F``, ``CUDA_R_16BF``, ``CUDA_R_16F``."""

_COMPUTE_32F, _COMPUTE_TF32 = 68, 77
"""``cublasComputeType_t``: ``CUBLAS_COMPUTE_32F`` and ``..._32F_FAST_TF32``."""

CACHES = Path("/sys/devices/system/cpu")

Action = Callable[[], Any]
Kind = Literal["copy", "triad"]


class Bench(abc.ABC):
    """A device with memory for its streams; a context while it is in use.

    Attributes
    ----------
    threads
        How many compute; None on a GPU.
    cache
        Bytes of the last cache; None where the system does not tell.
    length
        Numbers in each array of a stream.
    """

    threads: int | None
    cache: int | None
    length: int

    @abc.abstractmethod
    def __enter__(self) -> Self: ...

    @abc.abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @abc.abstractmethod
    def product(self, size: int) -> Action:
        """Return what multiplies two square matrices into a third that is there."""

    @abc.abstractmethod
    def stream(self, kind: Kind) -> Action:
        """Return what copies an array, or adds one to a multiple of another."""

    @abc.abstractmethod
    def timed(self, action: Action) -> float:
        """Do something, wait until it is done, and return the seconds."""


def length(memory: int | None, cache: int | None, least: int) -> int:
    """Return how many numbers an array of a stream has.

    Parameters
    ----------
    memory, cache
        Bytes of the whole memory, and of the last cache, where they are known.
    least
        Bytes of an array where both leave the choice.
    """
    count = max(least, TIMES_THE_CACHE * (cache or 0))
    if memory:
        count = min(count, memory // SHARE)
    return max(count // FLOAT, 1)


class OnCpu(Bench):
    """NumPy: its BLAS, and streams that as many threads of Python share.

    Parameters
    ----------
    threads
        How many.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.cache = last_cache()
        self.length = length(provenance.memory(), self.cache, LEAST)

    def __enter__(self) -> Self:
        from threadpoolctl import threadpool_limits

        assert self.threads
        self._limits = threadpool_limits(self.threads, "blas")
        self._pool = ThreadPoolExecutor(self.threads)
        self._arrays = [numpy.empty(self.length, numpy.float32) for _ in range(3)]
        # Memory belongs to the thread that touches it first.
        self._shared(self._touch)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown()
        self._limits.restore_original_limits()
        del self._arrays

    def product(self, size: int) -> Action:
        """Return a product by `numpy.matmul`."""
        random = numpy.random.default_rng(size)
        a, b = random.random((2, size, size), dtype=numpy.float32)
        c = numpy.empty((size, size), numpy.float32)
        return lambda: numpy.matmul(a, b, out=c)

    def stream(self, kind: Kind) -> Action:
        """Return a copy by `numpy.copyto`, or a triad block by block."""
        a, b, c = self._arrays

        def copy(part: slice) -> None:
            numpy.copyto(a[part], b[part])

        def triad(part: slice) -> None:
            scaled = numpy.empty(BLOCK, numpy.float32)
            for start in range(part.start, part.stop, BLOCK):
                own = slice(start, min(start + BLOCK, part.stop))
                own_scaled = scaled[: own.stop - own.start]
                numpy.multiply(c[own], numpy.float32(FACTOR), out=own_scaled)
                numpy.add(b[own], own_scaled, out=a[own])

        work = copy if kind == "copy" else triad
        return lambda: self._shared(work)

    def timed(self, action: Action) -> float:
        """Return wall-clock seconds."""
        started = time.perf_counter()
        action()
        return time.perf_counter() - started

    def _touch(self, part: slice) -> None:
        for array in self._arrays:
            array[part] = 1

    def _shared(self, work: Callable[[slice], Any]) -> None:
        """Let every thread do its part of the arrays."""
        assert self.threads
        ends = [i * self.length // self.threads for i in range(self.threads + 1)]
        parts = [slice(*pair) for pair in itertools.pairwise(ends)]
        if self.threads == 1:
            work(parts[0])
        else:
            list(self._pool.map(work, parts))


class OnGpu(Bench):
    """CuPy on the first device: cuBLAS, and elementwise kernels.

    Parameters
    ----------
    precision
        Of the products, one of `ON_GPU`; streams are of float32.
    """

    def __init__(self, precision: str = "float32") -> None:
        import cupy

        assert precision in ON_GPU
        self.precision = precision
        runtime = cupy.cuda.runtime
        properties = runtime.getDeviceProperties(0)
        self.threads = None
        self.cache = properties["l2CacheSize"]
        self.length = length(properties["totalGlobalMem"], self.cache, LEAST_ON_GPU)

    def __enter__(self) -> Self:
        import cupy

        self._arrays = [cupy.ones(self.length, cupy.float32) for _ in range(3)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self._arrays

    def product(self, size: int) -> Action:
        """Return a product by cuBLAS."""
        import cupy
        from cupy.cuda import cublas

        random = cupy.random.RandomState(size)
        # cuBLAS goes by columns: c's transpose is that of b times that of a.
        b, a = (self._rounded(random.random_sample((size, size))) for _ in range(2))
        c = cupy.empty_like(a)
        one, zero = numpy.ones(1, numpy.float32), numpy.zeros(1, numpy.float32)
        kind = _TYPES[self.precision]
        compute = _COMPUTE_TF32 if self.precision == "tf32" else _COMPUTE_32F
        handle = cupy.cuda.device.get_cublas_handle()

        def multiply() -> None:
            cublas.gemmEx(
                handle,
                *(0, 0, size, size, size, one.ctypes.data),
                *(b.data.ptr, kind, size),
                *(a.data.ptr, kind, size, zero.ctypes.data),
                *(c.data.ptr, kind, size, compute, TENSOR_CORES),
            )

        return multiply

    def _rounded(self, numbers: Any) -> Any:
        """Return numbers as the precision has them; bfloat16 as their bits."""
        import cupy

        if self.precision == "fp16":
            return numbers.astype(cupy.float16)
        exact = numbers.astype(cupy.float32)
        if self.precision != "bf16":
            return exact
        return (exact.view(cupy.uint32) >> 16).astype(cupy.uint16)

    def stream(self, kind: Kind) -> Action:
        """Return a copy or a triad, each one kernel."""
        import cupy

        a, b, c = self._arrays
        if kind == "copy":
            copy = cupy.ElementwiseKernel("T b", "T a", "a = b", "stream_copy")
            return lambda: copy(b, a)
        triad = cupy.ElementwiseKernel(
            "T b, T c, T s", "T a", "a = b + s * c", "stream_triad"
        )
        factor = cupy.float32(FACTOR)
        return lambda: triad(b, c, factor, a)

    def timed(self, action: Action) -> float:
        """Return the seconds between two events on the device."""
        import cupy

        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record()
        action()
        end.record()
        end.synchronize()
        return float(cupy.cuda.get_elapsed_time(begin, end)) / 1000


def last_cache() -> int | None:
    """Return the bytes of the processors' last caches together, if Linux tells."""
    found: dict[tuple[int, str], int] = {}
    for index in CACHES.glob("cpu[0-9]*/cache/index[0-9]*"):
        try:
            level, shared, size = (
                (index / name).read_text().strip()
                for name in ("level", "shared_cpu_list", "size")
            )
            found[int(level), shared] = _bytes(size)
        except (OSError, ValueError, KeyError):
            continue
    last = max((level for level, _ in found), default=0)
    return sum(count for (level, _), count in found.items() if level == last) or None


def _bytes(size: str) -> int:
    return int(size[:-1]) << {"K": 10, "M": 20, "G": 30}[size[-1]]
