"""A stand-in for CuPy: the parts that engine cuda uses, on the processor's memory.

Its device computes nothing by itself: kernels are those of `host_machine`.
"""

from __future__ import annotations

import ast
import ctypes
from pathlib import Path
from types import SimpleNamespace

import host_machine
import numpy as np

from chainer_style.engines.cuda import kernels

CTYPES = {
    np.uint64: ctypes.c_void_p,
    np.int32: ctypes.c_int,
    np.int64: ctypes.c_longlong,
    np.float32: ctypes.c_float,
}


class OutOfMemoryError(MemoryError):
    """What CuPy raises."""


class Memory:
    def __init__(self, size):
        self._room = np.full(size + 512, 255, np.uint8)
        self.ptr = -(-self._room.ctypes.data // 512) * 512

    def memset_async(self, value, size, stream):
        ctypes.memset(self.ptr, value, size)


class Context:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Stream(Context):
    """Does at once what it is asked for, but while it captures."""

    def __init__(self, non_blocking=False):
        assert non_blocking
        self.ptr, self.captured = 4711, None

    def begin_capture(self):
        self.captured = []

    def end_capture(self):
        work, self.captured = self.captured, None
        return Graph(work)

    def synchronize(self):
        assert self.captured is None


class Graph:
    launches = 0

    def __init__(self, work):
        self.work, self.uploaded = work, False

    def upload(self, stream):
        self.uploaded = True

    def launch(self, stream):
        assert self.uploaded
        Graph.launches += 1
        for each in self.work:
            each()


class Compiler:
    """NVRTC: what it makes of a source is told by the options alone."""

    def __init__(self):
        self.programs, self.compiled = {}, 0

    def getVersion(self):  # noqa: N802 - CuPy's names
        return 13, 0

    def createProgram(self, source, name, headers, names):  # noqa: N802
        assert "__global__" in source
        assert headers == names == ()
        self.programs[1] = None
        return 1

    def compileProgram(self, program, options):  # noqa: N802
        self.programs[program] = options
        self.compiled += 1

    def getCUBIN(self, program):  # noqa: N802
        return repr(self.programs[program]).encode()

    def destroyProgram(self, program):  # noqa: N802
        del self.programs[program]


class Cupy:
    """The module.

    Parameters
    ----------
    capability
        Of its device.
    free
        Bytes that it has.
    """

    def __init__(self, capability=(9, 0), free=1 << 30):
        self.free = free
        self.copies = 0
        self.stream = None
        major, minor = capability
        properties = {
            "name": b"Fake 100",
            "major": major,
            "minor": minor,
            "multiProcessorCount": 2,
        }
        runtime = SimpleNamespace(
            getDeviceProperties=lambda number: properties,
            memcpyAsync=self._copy,
            memGetInfo=lambda: (self.free, 1 << 40),
            runtimeGetVersion=lambda: 13000,
        )
        self.cuda = SimpleNamespace(
            Device=lambda number: Context(),
            Stream=self._made,
            Event=lambda disable_timing=False: SimpleNamespace(
                record=lambda stream: None, synchronize=lambda: None
            ),
            alloc=self._allocated,
            alloc_pinned_memory=lambda size: bytearray(size),
            device=SimpleNamespace(get_cublas_handle=lambda: 1),
            get_elapsed_time=lambda begin, end: 1.0,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            nvrtc=Compiler(),
            runtime=runtime,
        )

    def get_default_memory_pool(self):
        return SimpleNamespace(free_bytes=lambda: 0, free_all_blocks=lambda: None)

    def _made(self, non_blocking=False):
        self.stream = Stream(non_blocking)
        return self.stream

    def _allocated(self, size):
        if size > self.free:
            raise OutOfMemoryError
        self.free -= size
        return Memory(size)

    def _copy(self, target, source, size, kind, stream):
        assert stream == self.stream.ptr
        assert self.stream.captured is None
        assert kind in (1, 2)
        self.copies += 1
        ctypes.memmove(target, source, size)

    def do(self, work):
        """Do some work of the device, or capture it."""
        if self.stream.captured is not None:
            self.stream.captured.append(work)
        else:
            work()

    def RawModule(self, code=None, options=(), path=None):  # noqa: N802 - CuPy's name
        if path:
            options = ast.literal_eval(Path(path).read_text())
        feature = next(int(o[10:]) for o in options if o.startswith("-DFEATURE="))

        def get_function(name):
            warps = name not in kernels.signatures(kernels.FILES)
            run = getattr(host_machine.library(feature, warps), f"run_{name}")

            def function(grid, block, given, shared_mem=0):
                assert (block, len(grid)) == ((256,), 1)
                values = [CTYPES[type(value)](value.item()) for value in given]
                self.do(lambda: run(ctypes.c_uint(grid[0]), *values))

            return function

        return SimpleNamespace(get_function=get_function, module=None)
