from __future__ import annotations

from chainer_style.doctor import cards


def test_what_lspci_would_print(bus):
    bus("0000:02:00.0", "8086", "1401", "030000")
    bus("0000:01:00.0", "10de", "1401", "030000")
    bus("0000:01:00.1", "10de", "0fba", "040300")
    bus("0000:18:00.0", "10de", "2335", "030200", model="NVIDIA H200")
    bus("0000:19:00.0", "10de", "2336", "0a0100")
    found = cards.nvidia()
    assert [(card.address, card.line, card.computes) for card in found] == [
        (
            "0000:01:00.0",
            "VGA compatible controller: NVIDIA Corporation GM206 [GeForce GTX 960]",
            True,
        ),
        (
            "0000:01:00.1",
            "Audio device: NVIDIA Corporation GM206 High Definition Audio Controller",
            False,
        ),
        ("0000:18:00.0", "3D controller: NVIDIA Corporation NVIDIA H200", True),
        ("0000:19:00.0", "Class 0a01: NVIDIA Corporation Device 2336", False),
    ]


def test_a_bus_that_cannot_be_read(bus, monkeypatch, tmp_path):
    folder = bus("0000:01:00.0", "10de", "1401", "030000")
    (folder / "device").unlink()
    assert cards.nvidia()[0].line.endswith("NVIDIA Corporation Device unknown")
    (folder / "vendor").unlink()
    assert cards.nvidia() == []
    monkeypatch.setattr(cards, "DEVICES", tmp_path / "no such folder")
    assert cards.nvidia() == []


def test_the_drivers_release(bus, tmp_path):
    assert cards.driver_release() is None
    (tmp_path / "driver").mkdir()
    (tmp_path / "driver" / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 2024\n"
        "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n"
    )
    assert cards.driver_release() == "550.54.15"
