"""A machine for plans of engine ``cuda``: the processor runs the very same kernels.

They are compiled by the system's C++ compiler. Convolutions and products are NumPy's,
in double precision, rounded to features in the end.
"""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from chainer_style.engines.arena import Part
from chainer_style.engines.cuda import formats, kernels
from chainer_style.engines.cuda.machine import Machine
from chainer_style.engines.cuda.steps import Convolution, Units
from chainer_style.engines.cuda.tuning import kind_of

COMPILER = shutil.which("g++")
MISSING = "no C++ compiler (g++) to run CUDA's kernels on the processor with"

TYPES = {
    "address": ctypes.c_void_p,
    "int": ctypes.c_int,
    "wide": ctypes.c_longlong,
    "float": ctypes.c_float,
}


THREADS = 128
"""Of a block of kernels that are of whole warps."""

POINTER = (
    "struct any { void *p; template <class T> operator T *() const "
    "{ return (T *)p; } };"
)
"""The kernels' own types of pointers are not repeated here."""


@functools.cache
def library(feature, warps):
    """The kernels for one kind of features: of single threads, or of whole warps."""
    whole = (*kernels.FILES, *kernels.OF_WARPS)
    files = whole if warps else kernels.FILES
    wrappers = [wrapper(*each) for each in kernels.signatures(files).items()]
    text = "\n".join([header(), kernels.source(files), POINTER, *wrappers])
    return compiled(text, feature, THREADS if warps else 1)


def header():
    """CUDA's words for a processor."""
    return (Path(__file__).parent / "host_kernels.h").read_text()


def wrapper(name, types):
    """What runs all blocks of a kernel."""
    words = {"address": "void *", "int": "int", "wide": "long long"}
    parameters = ", ".join(f"{words.get(t, t)} a{i}" for i, t in enumerate(types))
    given = ", ".join(
        f"any{{a{i}}}" if t == "address" else f"a{i}" for i, t in enumerate(types)
    )
    return (
        f'extern "C" void run_{name}(unsigned blocks, {parameters}) {{\n'
        f"  run(blocks, [=] {{ {name}({given}); }});\n}}\n"
    )


def compiled(text, feature, threads):
    """A library of a source in C++."""
    folder = Path(tempfile.mkdtemp(prefix="kernels-"))
    (folder / "kernels.cpp").write_text(text)
    flags = ["-O2", "-std=c++17", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    flags += ["-Wno-unused-function", "-Wno-unknown-pragmas"]
    flags += ["-Wno-maybe-uninitialized", "-Wno-sign-compare"]
    flags += [f"-DFEATURE={feature}", f"-DTHREADS={threads}"]
    made = folder / "kernels.so"
    subprocess.run(
        [COMPILER, *flags, "-o", str(made), str(folder / "kernels.cpp")], check=True
    )
    loaded = ctypes.CDLL(str(made))
    shutil.rmtree(folder)
    return loaded


class HostMachine(Machine):
    """The processor, as if it were a device."""

    def __init__(self, precision="float32", memory=1 << 62, units=Units.MMA):
        self.format = formats.FORMATS[precision]
        self.units = units if self.format.tensor_cores else Units.NONE
        self.memory = memory
        self.blocks = {}
        self.captures = self.waits = self.peak = 0
        self.expected = []

    # -- memory ------------------------------------------------------------

    def allocate(self, size):
        room = np.zeros(size + 256, np.uint8)
        address = -(-room.ctypes.data // 256) * 256
        self.blocks[address] = room
        self.peak = max(self.peak, sum(map(self.size, self.blocks)))
        return address

    def free(self, address):
        self.view(address, self.size(address), np.uint8)[:] = 255
        del self.blocks[address]

    def size(self, address):
        return len(self.blocks[address]) - 256

    def view(self, address, shape, dtype):
        count = int(np.prod(shape)) * np.dtype(dtype).itemsize
        # Within one block, or it would be somebody else's memory.
        assert any(
            start <= address and address + count <= start + self.size(start)
            for start in self.blocks
        )
        raw = (ctypes.c_ubyte * count).from_address(address)
        return np.frombuffer(raw, dtype).reshape(shape)

    def write(self, address, array):
        self.view(address, array.shape, array.dtype)[...] = array

    def read(self, address, array):
        self.waits += 1
        array[...] = self.view(address, array.shape, array.dtype)

    def later(self, address, shape, dtype):
        copy = self.view(address, shape, dtype).copy()
        return lambda: copy

    def synchronize(self):
        self.waits += 1

    def expect(self, size):
        self.expected.append(size)

    def available(self):
        return self.memory

    def ready(self, programs):
        steps = (step for program in programs for step in program.steps)
        self.known = {kind_of(s) for s in steps if isinstance(s, Convolution)}

    # -- steps -------------------------------------------------------------

    def launch(self, step, addresses):
        types = kernels.signatures()[step.kernel]
        assert len(types) == len(step.arguments), step
        given = []
        for kind, argument in zip(types, step.arguments, strict=True):
            if isinstance(argument, Part):
                argument = addresses[argument.buffer] + argument.start
            elif isinstance(argument, str):
                argument = addresses[argument]
            pointed = argument is None or isinstance(argument, int)
            assert pointed or kind == "float", (step, argument)
            given.append(TYPES[kind](argument))
        warps = step.kernel not in kernels.signatures(kernels.FILES)
        run = getattr(library(self.format.feature, warps), f"run_{step.kernel}")
        blocks = ctypes.c_uint(step.blocks or 1)
        return lambda: run(blocks, *given)

    def features(self, address, *shape):
        return self.format.decode(self.view(address, shape, self.format.dtype))

    def give(self, address, values):
        packed = self.format.encode(values)
        self.view(address, packed.shape, packed.dtype)[...] = packed

    def convolution(self, step, addresses):
        assert kind_of(step) in self.known
        g = step.geometry
        source, target = addresses[step.source], addresses[step.target]
        filters = addresses[step.filters]
        depth = g.inputs // g.groups
        shapes = (g.height, g.width, g.inputs), (g.out_height, g.out_width, g.outputs)

        @np.errstate(invalid="ignore")
        def run():
            W = self.features(filters, g.outputs, g.kernel, g.kernel, depth)
            W = W.astype(float)
            if step.way == "forward":
                y = forward(self.features(source, *shapes[0]).astype(float), W, g)
                y += self.view(addresses[step.bias], (g.outputs,), np.float32)
                self.give(target, np.maximum(y, 0) if step.rectified else y)
                return
            gy = self.features(source, *shapes[1]).astype(float)
            x = back(gy, W, g)
            if step.turned:
                sides = (g.inputs, g.kernel, g.kernel, g.outputs)
                W = self.features(addresses[step.turned], *sides).astype(float)
                np.testing.assert_allclose(forward(gy, W, g.turned), x, atol=1e-6)
            if step.mask is not None:
                x[~(self.features(addresses[step.mask], *shapes[0]) > 0)] = 0
            self.give(target, x)

        return run

    def product(self, step, addresses):
        left, right = addresses[step.left], addresses[step.right]
        out = addresses[step.out]

        @np.errstate(invalid="ignore")
        def run():
            if step.transposed:
                a = self.features(left, step.depth, step.rows).T
                b = self.features(right, step.depth, step.columns)
            else:
                a = self.features(left, step.rows, step.depth)
                b = self.features(right, step.depth, step.columns)
            found = a.astype(float) @ b.astype(float)
            if step.transposed:
                gram = self.view(out, found.shape, np.float32)
                gram[...] = gram + found if step.adding else found
                return
            if step.adding:
                found += self.features(out, *found.shape)
            self.give(out, found)

        return run

    def captured(self, run):
        self.captures += 1
        run()  # as a device does, to have everything loaded
        return run


def forward(x, W, g):
    x = np.pad(x, ((g.pad, g.pad), (g.pad, g.pad), (0, 0)))
    windows = sliding_window_view(x, (g.kernel, g.kernel), (0, 1))
    windows = windows[:: g.stride, :: g.stride][: g.out_height, : g.out_width]
    depth, made = g.inputs // g.groups, g.outputs // g.groups
    parts = [
        np.einsum(
            "hwcij,oijc->hwo",
            windows[:, :, i * depth : (i + 1) * depth],
            W[i * made : (i + 1) * made],
            optimize=True,
        )
        for i in range(g.groups)
    ]
    return np.concatenate(parts, axis=2)


def back(gy, W, g):
    extents = g.height + 2 * g.pad, g.width + 2 * g.pad, g.inputs
    gx = np.zeros(extents)
    depth, made = g.inputs // g.groups, g.outputs // g.groups
    for group in range(g.groups):
        inside = slice(group * depth, (group + 1) * depth)
        part = gy[:, :, group * made : (group + 1) * made]
        for i in range(g.kernel):
            for j in range(g.kernel):
                filters = W[group * made : (group + 1) * made, i, j]
                rows = slice(i, i + g.stride * (g.out_height - 1) + 1, g.stride)
                columns = slice(j, j + g.stride * (g.out_width - 1) + 1, g.stride)
                gx[rows, columns, inside] += part @ filters
    return gx[g.pad : g.pad + g.height, g.pad : g.pad + g.width]
