from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chainer_style.experiments import records
from chainer_style.experiments.limits import LimitCell, LimitRecord, predicted
from chainer_style.report import formats, html, machines, parts

MIB = 2**20


@pytest.fixture
def found(
    tmp_path: Path, environment_of: Callable[..., dict[str, object]]
) -> machines.Found:
    """One machine that ran, failed, and could not run a cell."""
    where = environment_of("one", gpu=False)
    cells = {
        LimitCell(256, "1.5", None, "CPU"): {
            "seconds": [1.0, 1.5],
            "peak_memory_bytes": 2345 * MIB,
            "before_bytes": 45 * MIB,
        },
        LimitCell(512, "1.5", 4, "CPU"): {
            "failed": "out of memory at 4 GiB",
            "held_bytes": 4000 * MIB,
            "asked_bytes": 600 * MIB,
        },
        LimitCell(512, "7.8.1", 4, "CPU"): {
            "seconds": [2.0, 2.0],
            "peak_memory_bytes": 1800 * MIB,
        },
        LimitCell(512, "1.5", 4, "GPU"): {"reason": "no CUDA device"},
    }
    for cell, what in cells.items():
        records.save(LimitRecord(cell=cell, environment=where, **what), tmp_path)
    return machines.read(tmp_path)


def test_the_part_says_what_became_of_every_cell(found: machines.Found) -> None:
    text = parts.render("limits", found.machines)
    assert formats.mebibytes(2300 * MIB) in text
    for size in (64, 128, 256, 435, 512):
        need = predicted(LimitCell(size, "1.5", None, "CPU"))
        assert formats.mebibytes(need) in text
    failed = (
        "**failed**: out of memory at 4 GiB after 4000 MiB, asking for 600 MiB more"
    )
    assert failed in text
    assert "ran, 2000 ms per iteration" in text
    assert "not measured\\: no CUDA device" in text
    assert "no record of it" in text
    html.convert(text, "limits")


def test_without_records_the_predictions_stand() -> None:
    text = parts.render("limits", [])
    assert "Predicted" in text
    assert "within the memory of the card" not in text
    assert "into 2 GiB:\n64 and 128 px" in text.replace("\nGiB", " GiB")
    html.convert(text, "limits")
