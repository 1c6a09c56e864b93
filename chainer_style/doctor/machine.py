"""System, processor, memory, and NVIDIA's cards on the bus."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence

from chainer_style import provenance
from chainer_style.doctor.cards import Card
from chainer_style.doctor.findings import Check, Finding
from chainer_style.text import size

SECTION = "Machine"


def findings(seen: Sequence[Card]) -> Iterator[Finding]:
    """Yield what the machine is, before any library is loaded."""
    looks = (
        ("System", _system),
        ("Processor", provenance.cpu_model),
        ("Processors", lambda: str(provenance.cores())),
        ("Memory", _memory),
    )
    for what, look in looks:
        yield Check(SECTION, what, "", look, lacking="optional").run()
    for card in seen:
        yield Finding(SECTION, f"PCI {card.address}", card.line)
    if not any(card.computes for card in seen):
        value, why = "no GPU on the PCI bus", "as lspci | grep -i nvidia"
        yield Finding(SECTION, "NVIDIA", value, "optional", why)


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = f"{platform.system()} {platform.release()}"
    return f"{name}, {platform.machine()}"


def _memory() -> str:
    count = provenance.memory()
    return size(count) if count else "unknown"
