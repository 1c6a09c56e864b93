"""A CUDA device as what runs plans: CuPy's memory and kernels, cuDNN, cuBLAS."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.compat import cudnn
from chainer_style.engines import Watch, devices
from chainer_style.engines.arena import Part
from chainer_style.engines.base import Device
from chainer_style.engines.cuda import binaries, kernels, products, recording
from chainer_style.engines.cuda.convolutions import Builder, Built, unfused
from chainer_style.engines.cuda.formats import FORMATS, Format
from chainer_style.engines.cuda.kernels import THREADS
from chainer_style.engines.cuda.machine import Later, Machine, Run
from chainer_style.engines.cuda.steps import (
    Convolution,
    Launch,
    Product,
    Program,
    Units,
)
from chainer_style.engines.cuda.tuning import Tuner, kind_of
from chainer_style.errors import UserError
from chainer_style.text import size as bytes_of

Array = npt.NDArray[Any]

TO_DEVICE, TO_HOST = 1, 2
"""cudaMemcpyKind."""

CROWD = 16
"""Blocks per multiprocessor of a kernel that does not sum: as many as it may hold."""

NUMBERS: dict[kernels.Type, Callable[[Any], Any]] = {
    "address": np.uint64,
    "int": np.int32,
    "wide": np.int64,
    "float": np.float32,
}
"""What arguments of kernels are to CuPy."""

VOLTA, AMPERE = (7, 0), (8, 0)
"""Compute capabilities."""


class CudaDevice(Machine):
    """A device of CUDA.

    Parameters
    ----------
    device
        Which one.
    precision
        Of features; None: TF32 where the device has it, else float32.
    watch
        Told the convolutions whose kernels are compiled and timed, which is done once.

    Raises
    ------
    UserError
        If the device, or a library that it takes, is not there, or it does not
        multiply such numbers.
    """

    def __init__(
        self, device: Device, precision: str | None = None, watch: Watch = iter
    ) -> None:
        check(device)
        import cupy

        frontend = cudnn.frontend()
        self._watch = watch
        self._cupy = cupy
        self._device = cupy.cuda.Device(device.gpu)
        self._runtime = cupy.cuda.runtime
        properties = self._runtime.getDeviceProperties(device.gpu)
        self.title = properties["name"].decode()
        capability = properties["major"], properties["minor"]
        self.format = form = format_of(precision, capability, self.title)
        has_mma = form.tensor_cores and capability >= AMPERE
        self.units = Units.MMA if has_mma else Units.NONE
        self._built: dict[tuple[Any, ...], tuple[Built, int]] = {}
        self._crowd = CROWD * properties["multiProcessorCount"]
        self._held: dict[int, Any] = {}
        with self._device:
            self._stream = cupy.cuda.Stream(non_blocking=True)
        self._module = self._on(lambda: self._compiled(capability))
        self._handle = self._on(frontend.create_handle)
        frontend.set_stream(self._handle, self._stream.ptr)
        builder = Builder(frontend, form, self._handle)
        versions = f"{self.title} {frontend.backend_version()} {frontend.__version__}"
        timer = functools.partial(_seconds, cupy.cuda, self._device, self._stream)
        self._tuner = Tuner(versions, form, builder, timer)
        self._room, self._room_size = 0, 0
        self._products = self._on(self._cublas)

    def _on(self, do: Callable[[], Any]) -> Any:
        """Do something on this device and its stream."""
        with self._device, self._stream:
            return do()

    def _compiled(self, capability: tuple[int, int]) -> Any:
        options = (
            "-std=c++17",
            f"-DFEATURE={self.format.feature}",
            f"-DTHREADS={THREADS}",
        )
        source = kernels.source()
        if self.units and (arch := binaries.OWN.get(capability)):
            # Where that is refused, by an old compiler or driver, others do.
            with contextlib.suppress(Exception):
                module = binaries.module(self._cupy, source, options, arch)
                self.units = Units.WGMMA
                return module
        return self._cupy.RawModule(code=source, options=options)

    def _cublas(self) -> products.Products:
        # CuPy finds the library and loads it; it is known by its name then.
        self._cupy.cuda.device.get_cublas_handle()
        library = products.load(self._runtime.runtimeGetVersion())
        space = self.allocate(products.WORKSPACE)
        return products.Products(library, self._stream.ptr, space, self.format)

    # -- memory ------------------------------------------------------------

    def allocate(self, size: int) -> int:
        """Return the address of some bytes (see `Machine`)."""
        try:
            memory = self._on(lambda: self._cupy.cuda.alloc(max(size, 1)))
        except self._cupy.cuda.memory.OutOfMemoryError:
            raise self._too_large(size) from None
        self._on(lambda: memory.memset_async(0, size, self._stream))
        self._held[int(memory.ptr)] = memory
        return int(memory.ptr)

    def free(self, address: int) -> None:
        """Give memory back (see `Machine`), and to other programs too."""
        self.synchronize()
        del self._held[address]
        self._on(self._cupy.get_default_memory_pool().free_all_blocks)

    def expect(self, size: int) -> None:
        """Refuse what will not fit (see `Machine`)."""
        if size > self.available():
            raise self._too_large(size)

    def available(self) -> int:
        """Return the bytes that can be had, with those that CuPy keeps for itself."""

        def look() -> int:
            pool = self._cupy.get_default_memory_pool()
            free, _ = self._runtime.memGetInfo()
            return int(free + pool.free_bytes())

        return int(self._on(look))

    def _too_large(self, size: int) -> UserError:
        return UserError(
            f"the picture needs {bytes_of(size)} more on {self.title}, where "
            f"{bytes_of(self.available())} are free; take --precision bf16, a smaller "
            "--tile, or a smaller --width"
        )

    def write(self, address: int, array: Array) -> None:
        """Copy an array into memory (see `Machine`)."""
        given = np.ascontiguousarray(array)
        ends = (address, given.ctypes.data, given.nbytes)
        # From memory that may be moved, CUDA copies before it returns.
        self._on(lambda: self._runtime.memcpyAsync(*ends, TO_DEVICE, self._stream.ptr))

    def read(self, address: int, array: Array) -> None:
        """Copy memory into an array (see `Machine`)."""
        ends = (array.ctypes.data, address, array.nbytes)
        self._on(lambda: self._runtime.memcpyAsync(*ends, TO_HOST, self._stream.ptr))
        self.synchronize()

    def later(self, address: int, shape: tuple[int, ...], dtype: Any) -> Later:
        """Ask for a copy of memory (see `Machine`)."""
        count = math.prod(shape)
        nbytes = count * np.dtype(dtype).itemsize
        cuda = self._cupy.cuda

        def ask() -> tuple[Array, Any]:
            memory = cuda.alloc_pinned_memory(nbytes)
            array = np.frombuffer(memory, dtype, count).reshape(shape)
            ends = (array.ctypes.data, address, nbytes)
            self._runtime.memcpyAsync(*ends, TO_HOST, self._stream.ptr)
            event = cuda.Event(disable_timing=True)
            event.record(self._stream)
            return array, event

        array: Array
        array, event = self._on(ask)

        def wait() -> Array:
            event.synchronize()
            return array

        return wait

    def synchronize(self) -> None:
        """Wait until all is done (see `Machine`)."""
        self._stream.synchronize()

    # -- steps -------------------------------------------------------------

    def launch(self, step: Launch, addresses: Mapping[str, int]) -> Run:
        """Return what runs a kernel (see `Machine`)."""
        function = self._module.get_function(step.kernel)
        if step.shared:
            function.max_dynamic_shared_size_bytes = step.shared
        types = kernels.signatures()[step.kernel]
        given = tuple(
            NUMBERS[kind](address_of(argument, addresses))
            for kind, argument in zip(types, step.arguments, strict=True)
        )
        needed = -(-step.count // THREADS)
        blocks = step.blocks or max(1, min(needed, self._crowd))

        def run() -> None:
            function((blocks,), (THREADS,), given, shared_mem=step.shared)

        return run

    def product(self, step: Product, addresses: Mapping[str, int]) -> Run:
        """Return what runs a matrix product (see `Machine`)."""
        run: Run = self._products.product(step, addresses)
        return run

    def convolution(self, step: Convolution, addresses: Mapping[str, int]) -> Run:
        """Return what runs a convolution (see `Machine`)."""
        return self._executed(*self._built[kind_of(step)], step, addresses)

    def ready(self, programs: Sequence[Program]) -> None:
        """Choose plans for all convolutions (see `Machine`)."""
        steps = {
            kind_of(step): step
            for program in programs
            for step in program.steps
            if isinstance(step, Convolution)
        }
        names = [f"{step.name} {step.way}" for step in steps.values()]
        once = not all(map(self._tuner.knows, steps.values()))
        watched = self._watch(names) if once else names
        for (kind, step), _ in zip(steps.items(), watched, strict=True):
            if kind not in self._built:
                with self._device, self._stream:
                    self._built[kind] = self._chosen(step)
                self._workspace(0)  # what was only tried may have taken more
        # All of it now: what is captured keeps the address.
        self._workspace(max(map(_needed, self._built.values()), default=0))

    def _chosen(self, step: Convolution) -> tuple[Built, int]:
        """Return the plan of a convolution, tried on memory of its own."""
        addresses: dict[str, int] = {}

        def execute(built: Built, index: int) -> Run:
            for name, size in step.sizes(self.format.bytes).items():
                if name not in addresses:
                    addresses[name] = self.allocate(size)
            return self._executed(built, index, step, addresses)

        try:
            return self._tuner.choose(step, execute)
        except Exception as error:  # cuDNN's own, of many kinds
            said = (str(error).strip().splitlines() or [repr(error)])[-1]
            raise UserError(
                f"cuDNN cannot compute {step.name} in {self.format.name} on "
                f"{self.title}: {said}; take another --precision, or --engine chainer"
            ) from error
        finally:
            for address in addresses.values():
                self.free(address)

    def _executed(
        self, built: Built, index: int, step: Convolution, addresses: Mapping[str, int]
    ) -> Run:
        """Return what runs a plan of a graph, and the kernels that do the rest."""
        pack, graph, handle = built.pack(step, addresses), built.graph, self._handle
        needed = _needed((built, index))
        rest = [] if built.variant.fused else unfused(step)
        launches = [self.launch(launch, addresses) for launch in rest]

        def run() -> None:
            room = self._workspace(needed) if needed else 0
            graph.execute_plan_at_index(pack, room, index, handle=handle)
            for launch in launches:
                launch()

        return run

    def _workspace(self, size: int) -> int:
        """Return the address of room for a plan; 0 gives back what there is.

        All plans share it, one after the other.
        """
        if size > self._room_size or not size:
            if self._room:
                self.free(self._room)
            self._room, self._room_size = self.allocate(size) if size else 0, size
        return self._room

    def prepared(self, program: Program, addresses: Mapping[str, int]) -> Run:
        """Return what runs a program (see `Machine`)."""
        prepare = super().prepared
        run: Run = self._on(lambda: prepare(program, addresses))

        def run_there() -> None:
            self._on(run)

        return run_there

    def captured(self, run: Run) -> Run:
        """Return a CUDA graph of all that (see `Machine`)."""
        # What is loaded at its first run must not be in the midst of a capture.
        run()
        self.synchronize()

        graph = self._on(lambda: recording.recorded(self._stream, run))

        def launch() -> None:
            self._on(lambda: graph.launch(self._stream))

        return launch


def _needed(chosen: tuple[Built, int]) -> int:
    """Return the bytes that a plan works in."""
    built, index = chosen
    return int(built.graph.get_workspace_size_plan_at_index(index))


def _seconds(cuda: Any, device: Any, stream: Any, run: Run) -> float:
    """Return the seconds that a device takes for something.

    The machine is no part of it: in a cycle of references, its memory would stay.
    """
    with device, stream:
        return float(recording.seconds(cuda, stream, run))


def address_of(argument: Any, addresses: Mapping[str, int]) -> Any:
    """Return an argument of a kernel with buffers' addresses in place of names."""
    if isinstance(argument, Part):
        return addresses[argument.buffer] + argument.start
    if isinstance(argument, str):
        return addresses[argument]
    return 0 if argument is None else argument


def check(device: Device) -> None:
    """Refuse a device that is not there, or lacks a library.

    Raises
    ------
    UserError
        Naming what is missing and what to do.
    """
    if not device.is_gpu:
        raise UserError("the engine 'cuda' computes on a GPU only; add --gpu 0")
    missing = devices.obstacle(Device(device.gpu, cudnn=False)) or no_frontend()
    if missing:
        raise UserError(
            f"{missing.reason} for --engine cuda: {missing.cause}; {missing.remedy}, "
            "or leave --engine and --gpu out for the CPU"
        )


def no_frontend() -> devices.Obstacle | None:
    """Return what keeps cuDNN's frontend from being used, or None."""
    try:
        cudnn.frontend()
    except ImportError as error:
        cause = str(error).strip().splitlines()[0]
        return devices.Obstacle("no cuDNN", cause, f"run: {devices.install()}")
    return None


def format_of(precision: str | None, capability: tuple[int, int], title: str) -> Format:
    """Return the numbers of a precision, or the device's own default.

    Parameters
    ----------
    precision
        None: TF32 where the device has it, else float32.
    capability, title
        Of the device.

    Raises
    ------
    UserError
        If there is no such precision, or the device does not multiply it.
    """
    if precision is None:
        precision = "tf32" if capability >= AMPERE else "float32"
    if precision not in FORMATS:
        raise UserError(
            f"the engine 'cuda' does not compute in {precision}; choose one of: "
            f"{', '.join(FORMATS)}, or take --engine chainer"
        )
    least = {"tf32": AMPERE, "bf16": AMPERE, "fp16": VOLTA}.get(precision, (0, 0))
    if capability < least:
        raise UserError(
            f"{title} has compute capability {capability[0]}.{capability[1]}, and "
            f"{precision} wants {least[0]}.{least[1]}; take --precision float32"
        )
    return FORMATS[precision]
