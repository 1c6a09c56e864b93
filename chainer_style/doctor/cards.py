"""What ``lspci | grep -i nvidia`` prints, read from the kernel's own files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DEVICES = Path("/sys/bus/pci/devices")
DRIVER = Path("/proc/driver/nvidia")
NAMES = (
    Path("/usr/share/misc/pci.ids"),
    Path("/usr/share/hwdata/pci.ids"),
    Path("/var/lib/pciutils/pci.ids"),
)
"""Where systems keep the list of devices, https://pci-ids.ucw.cz/."""

NVIDIA = "10de"
KINDS = {
    "0300": "VGA compatible controller",
    "0302": "3D controller",
    "0403": "Audio device",
    "0680": "Bridge",
    "0c03": "USB controller",
    "0c80": "Serial bus controller",
}
"""The classes of NVIDIA's devices, as ``lspci`` names them."""


@dataclass(frozen=True)
class Card:
    """One function of one PCI device of NVIDIA.

    Attributes
    ----------
    address
        ``domain:bus:device.function``, as the kernel writes it.
    class_id
        Four hexadecimal digits: class and subclass.
    device_id
        Four hexadecimal digits.
    model
        Its name, where the driver or the system's list of devices knows it.
    """

    address: str
    class_id: str
    device_id: str
    model: str | None

    @property
    def computes(self) -> bool:
        """Whether it is a GPU, and not the sound or the USB of one."""
        return self.class_id.startswith("03")

    @property
    def line(self) -> str:
        """What ``lspci`` prints after the address."""
        kind = KINDS.get(self.class_id, f"Class {self.class_id}")
        return f"{kind}: NVIDIA Corporation {self.model or f'Device {self.device_id}'}"


def nvidia() -> list[Card]:
    """Return NVIDIA's devices on the PCI bus; none where it cannot be read."""
    try:
        folders = sorted(DEVICES.iterdir())
    except OSError:
        return []
    return [card for folder in folders if (card := _card(folder)) is not None]


def _card(folder: Path) -> Card | None:
    if _number(folder / "vendor") != NVIDIA:
        return None
    device = _number(folder / "device") or "unknown"
    model = _model_by_driver(folder.name) or _model_by_list(device)
    return Card(folder.name, _number(folder / "class")[:4], device, model)


def _number(path: Path) -> str:
    """Return the hexadecimal digits in a file of the kernel's, without their 0x."""
    return text(path).strip().removeprefix("0x")


def text(path: Path) -> str:
    """Return a file's text; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _model_by_driver(address: str) -> str | None:
    information = text(DRIVER / "gpus" / address / "information")
    found = re.search(r"^Model:\s*(\S.*)$", information, re.MULTILINE)
    return found[1].strip() if found else None


def _model_by_list(device: str) -> str | None:
    for path in NAMES:
        # A vendor's devices are indented by one tab, theirs by two.
        own = re.search(rf"^{NVIDIA}\s.*\n((?:[\t#].*\n)*)", text(path), re.MULTILINE)
        if own and (found := re.search(rf"^\t{device}\s+(.+)$", own[1], re.MULTILINE)):
            return found[1].strip()
    return None


def driver_release() -> str | None:
    """Return the release of NVIDIA's driver, such as 550.54.15, if it is loaded."""
    found = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", text(DRIVER / "version"))
    return found[1] if found else None
