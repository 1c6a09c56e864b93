"""What a record tells of the machine: kinds of machines are told apart by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainer_style import provenance

EPYC = "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: {}\n"
I7 = "model name\t: Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz\nflags\t\t: {}\n"
WIDE, NARROW = "fpu avx avx2 fma avx512f avx512dq", "fpu avx avx2 fma"


@pytest.fixture
def told(monkeypatch):
    """Have the system tell a text of its processors."""

    def tell(text: str) -> None:
        real = Path.read_text

        def read(self, *more, **also):
            return text if str(self) == "/proc/cpuinfo" else real(self, *more, **also)

        monkeypatch.setattr(Path, "read_text", read)
        monkeypatch.setattr(provenance, "cores", lambda: 2)
        monkeypatch.setattr(provenance, "gpu", lambda: None)
        forget()

    def forget() -> None:
        provenance.cpu_model.cache_clear()
        provenance.machine_name.cache_clear()

    yield tell
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize(
    ("text", "model", "name"),
    [
        (EPYC.format(WIDE), "AMD EPYC", "amd-epyc-2-cores"),
        (EPYC.format(NARROW), "AMD EPYC (AVX2)", "amd-epyc-avx2-2-cores"),
        (EPYC.format("fpu sse2"), "AMD EPYC", "amd-epyc-2-cores"),
        (
            (I7 + I7).format(NARROW, NARROW),
            "Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz (AVX2)",
            "intel-core-i7-4770-3.40ghz-avx2-2-cores",
        ),
    ],
    ids=["avx512", "avx2", "neither", "with a model"],
)
def test_processors_are_told_apart_by_their_vectors(told, text, model, name) -> None:
    told(text)
    assert provenance.cpu_model() == model
    assert provenance.machine_name() == name


def test_a_system_that_tells_nothing(told, monkeypatch) -> None:
    told("")
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert provenance.cpu_model() == "riscv64"
