"""What a process takes of a card's memory, as the driver tells."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

PAUSE = 0.004
"""Seconds between two questions."""


class Meter(Protocol):
    """Whoever knows what is taken."""

    def card(self) -> int | None:
        """Return the bytes that are taken of the card by all together."""
        ...

    def process(self, pid: int) -> int | None:
        """Return those of a process; None where the driver does not tell."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return what is known of the card, for a record."""
        ...


class Nothing:
    """A meter where there is no card."""

    def card(self) -> None:
        """Return None."""

    def process(self, pid: int) -> None:
        """Return None."""

    def describe(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


class OfCuda:
    """A meter by ``cudaMemGetInfo``, which tells of the whole card alone."""

    def card(self) -> int:
        """Return the bytes that are taken of the card by all together."""
        import cupy

        free, whole = cupy.cuda.runtime.memGetInfo()
        return int(whole - free)

    def process(self, pid: int) -> None:
        """Return None."""

    def describe(self) -> dict[str, Any]:
        """Return nothing beside what every record says of the card."""
        return {}


class OfNvml:
    """A meter by the driver's management library.

    Raises
    ------
    Exception
        If it is not there, or does not know the first CUDA device.
    """

    def __init__(self) -> None:
        import cupy
        import pynvml

        self._nvml = pynvml
        pynvml.nvmlInit()
        found = cupy.cuda.runtime.getDeviceProperties(0)
        place = (found[f"pci{part}ID"] for part in ("Domain", "Bus", "Device"))
        address = "{:08X}:{:02X}:{:02X}.0".format(*place)
        self._card = pynvml.nvmlDeviceGetHandleByPciBusId(address.encode())
        self.card()

    def card(self) -> int:
        """Return the bytes that are taken of the card by all together."""
        return int(self._nvml.nvmlDeviceGetMemoryInfo(self._card).used)

    def process(self, pid: int) -> int | None:
        """Return those of a process; None where the driver does not tell."""
        nvml = self._nvml
        try:
            found = nvml.nvmlDeviceGetComputeRunningProcesses(self._card)
        except nvml.NVMLError:
            return None
        return next((p.usedGpuMemory for p in found if p.pid == pid), None)

    def describe(self) -> dict[str, Any]:
        """Return driver, limits and clocks, where they are told."""
        nvml, card = self._nvml, self._card
        asked = {
            "driver": nvml.nvmlSystemGetDriverVersion,
            "power_limit_milliwatts": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(
                card
            ),
            "sm_clock_limit_mhz": lambda: nvml.nvmlDeviceGetMaxClockInfo(
                card, nvml.NVML_CLOCK_SM
            ),
            "memory_clock_limit_mhz": lambda: nvml.nvmlDeviceGetMaxClockInfo(
                card, nvml.NVML_CLOCK_MEM
            ),
        }
        told = {}
        for name, ask in asked.items():
            with contextlib.suppress(nvml.NVMLError):
                answer = ask()
                told[name] = answer.decode() if isinstance(answer, bytes) else answer
        return told


def meter() -> Meter:
    """Return the best meter that there is."""
    try:
        return OfNvml()
    except Exception:  # it may be missing, too old, or not allowed to look
        return OfCuda()


@dataclass
class Taken:
    """What a process took of the card, in bytes; None where it is not known.

    Attributes
    ----------
    process
        The most that the driver said of the process.
    card
        The most by which all that is taken of the card grew meanwhile.
    held
        How much that was at the end.
    """

    process: int | None = None
    card: int | None = None
    held: int | None = None


@contextlib.contextmanager
def watched(meter: Meter, pid: int) -> Iterator[Taken]:
    """Note the most that a process takes meanwhile; all others have to stand still.

    Parameters
    ----------
    meter
        To ask.
    pid
        Number of the process.
    """
    taken, before = Taken(), meter.card()
    over = threading.Event()

    def look() -> None:
        own, whole = meter.process(pid), meter.card()
        if own is not None:
            taken.process = max(taken.process or 0, own)
        if whole is not None and before is not None:
            taken.held = whole - before
            taken.card = max(taken.card or 0, taken.held)

    def keep_looking() -> None:
        while not over.wait(PAUSE):
            look()

    thread = threading.Thread(target=keep_looking, daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        over.set()
        thread.join()
        look()
