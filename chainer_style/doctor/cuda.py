"""CuPy, CUDA's libraries, and what ``deviceQuery`` tells of every GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chainer_style.doctor.cards import Card, driver_release
from chainer_style.doctor.findings import Check, Finding, Lacking, State
from chainer_style.doctor.libraries import convolution
from chainer_style.text import size

SECTION = "CUDA"


def findings(seen: Sequence[Card]) -> Iterator[Finding]:
    """Yield CuPy, the libraries, and every device.

    Parameters
    ----------
    seen
        NVIDIA's devices on the bus. Where there is a GPU among them, what it needs
        is missing; elsewhere it is optional.
    """
    from chainer_style.engines import devices

    lacking: State = "missing" if any(card.computes for card in seen) else "optional"

    def check(what: str, why: str, look: Callable[[], str]) -> Finding:
        remedy = devices.install()
        return Check(SECTION, what, why, look, remedy, lacking=lacking).run()

    cupy = check("CuPy", "arrays on a GPU", _cupy)
    yield cupy
    if cupy.state != "ok":
        return
    yield check("Driver", "serves the GPU", _driver)
    yield check("Runtime", "CUDA itself", _runtime)
    yield check("NVRTC", "CuPy's compiler", _nvrtc)
    yield check("cuDNN", "fast convolutions", _cudnn)
    devices_found = check("Devices", "what Chainer can use", _devices)
    yield devices_found
    if devices_found.state != "ok":
        return
    yield check("cuBLAS", "matrix products", _cublas)
    for number in range(_count()):
        yield from _device(number)


def version(number: int) -> str:
    """Print CUDA's number of a version: 12040 is 12.4."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _cupy() -> str:
    try:
        import cupy
    except ModuleNotFoundError as error:
        if error.name == "cupy":
            raise Lacking("not installed") from None
        raise
    return str(cupy.__version__)


def _runtime_module() -> Any:
    import cupy

    return cupy.cuda.runtime


def _driver() -> str:
    number = _runtime_module().driverGetVersion()
    if not number:  # which is how CUDA says so
        remedy = "install NVIDIA's driver for CUDA 12 or later"
        raise Lacking("none answers", remedy)
    release = driver_release()
    return f"for CUDA {version(number)}{f', release {release}' if release else ''}"


def _runtime() -> str:
    return version(_runtime_module().runtimeGetVersion())


def _nvrtc() -> str:
    import cupy

    return ".".join(map(str, cupy.cuda.nvrtc.getVersion()))


def _cublas() -> str:
    import cupy

    handle = cupy.cuda.device.get_cublas_handle()
    return str(cupy.cuda.cublas.getVersion(handle))


def _cudnn() -> str:
    from chainer.backends import cuda

    from chainer_style.engines import devices
    from chainer_style.engines.base import Device

    if not cuda.cudnn_enabled and (missing := devices.obstacle(Device(0))):
        raise _as_finding(missing)
    number = cuda.libcudnn.getVersion()
    # Four digits up to version 8, five from version 9 on.
    major = 1000 if number < 10000 else 10000
    library = f"{number // major}.{number % major // 100}.{number % 100}"
    if cuda._cupy_major < 14:
        return library
    from chainer_style.compat import cudnn

    return f"{library}, frontend {cudnn.frontend_version()}"


def _count() -> int:
    return int(_runtime_module().getDeviceCount())


def _devices() -> str:
    from chainer_style.engines import devices
    from chainer_style.engines.base import Device

    if missing := devices.obstacle(Device(0, cudnn=False)):
        raise _as_finding(missing)
    return str(_count())


def _as_finding(missing: Any) -> Lacking:
    return Lacking(missing.cause, missing.remedy.removeprefix("run: "))


def _device(number: int) -> Iterator[Finding]:
    section = f"GPU {number}"
    runtime = _runtime_module()
    properties = runtime.getDeviceProperties(number)
    for what, look in _QUERIES.items():
        value = Check(section, what, "", lambda look=look: look(properties)).run()  # type: ignore[misc]
        if value.value:
            yield value
    address = Check(section, "PCI", "", lambda: runtime.deviceGetPCIBusId(number))
    yield address.run()
    for use, why in (("never", "without cuDNN"), ("always", "with cuDNN")):
        yield Check(
            section,
            "Test",
            f"Chainer computes there {why}",
            lambda use=use: _test(number, use),  # type: ignore[misc]
        ).run()


def _test(number: int, cudnn: str) -> str:
    import chainer
    import cupy

    from chainer_style.engines import devices
    from chainer_style.engines.base import Device

    if missing := devices.obstacle(Device(number, cudnn=cudnn == "always")):
        raise _as_finding(missing)
    with cupy.cuda.Device(number), chainer.using_config("use_cudnn", cudnn):
        return convolution(cupy)


def _megahertz(properties: Any, key: str) -> str:
    # CUDA 13 no longer tells the clocks.
    return f"{properties[key] / 1000:.0f} MHz" if properties.get(key) else ""


_QUERIES: dict[str, Callable[[Any], str]] = {
    "Name": lambda p: p["name"].decode(),
    "Compute capability": lambda p: f"{p['major']}.{p['minor']}",
    "Memory": lambda p: size(p["totalGlobalMem"]),
    "Multiprocessors": lambda p: str(p["multiProcessorCount"]),
    "Clock": lambda p: _megahertz(p, "clockRate"),
    "Memory clock": lambda p: _megahertz(p, "memoryClockRate"),
    "Memory bus": lambda p: f"{p['memoryBusWidth']} bit",
    "L2 cache": lambda p: size(p["l2CacheSize"]),
}
"""What ``deviceQuery`` prints of a device, from its properties."""
