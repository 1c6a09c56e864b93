from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chainer_style.experiments import records
from chainer_style.experiments.limits import LimitCell, LimitRecord, predicted
from chainer_style.experiments.past import CELLS, PastCell, PastRecord
from chainer_style.report import formats, html, machines, parts

MIB = 2**20
TAPS = ["conv1_2", "conv2_2", "conv3_3", "conv4_3"]

Save = Callable[..., None]


@pytest.fixture
def where(environment_of: Callable[..., dict[str, object]]) -> dict[str, Any]:
    return environment_of("one", gpu=False)


@pytest.fixture
def save(tmp_path: Path, where: dict[str, Any]) -> Save:
    def save(cell: PastCell, **more: Any) -> None:
        what = {
            "seconds": [9.0, 2.0, 2.5],
            "dropped": 1,
            "peak_memory_bytes": 777 * MIB,
            "own_bytes": 100 * MIB,
            "predicted_bytes": 678 * MIB,
            "targets_seconds": 12.34,
            "losses": [3.0, 2.0, 1.0],
            "finite": True,
            "cut": {"tiles": 1, "side": cell.width, "kept": TAPS, "on_disk": False},
            "settings": {"weights": {"label": "seeded weights"}, "threads": 3},
        }
        if "reason" in more:
            what = {}
        record = PastRecord(cell=cell, environment=where, **{**what, **more})
        records.save(record, tmp_path)

    return save


def rendered(folder: Path) -> str:
    text = parts.render("past", machines.read(folder).machines)
    html.convert(text, "past")
    return " ".join(text.split())


def test_memory_and_time_size_by_size(save: Save, tmp_path: Path) -> None:
    save(CELLS[0])
    cut = {"tiles": 84, "side": 640, "kept": TAPS[2:], "on_disk": True}
    save(CELLS[4], cut=cut, seconds=[300.0, 350.0, 250.0])
    save(CELLS[3], reason="of 2 GiB, 1.0 GiB are available")
    text = rendered(tmp_path)
    row = " - ".join(
        [
            "* - 512 px - 2 GiB - 1 - all",
            formats.mebibytes(778 * MIB).replace("\N{NO-BREAK SPACE}", " "),
            formats.mebibytes(777 * MIB).replace("\N{NO-BREAK SPACE}", " "),
            "12.3",
            "2.25",
            "8.58",
        ]
    )
    assert row in text
    assert "* - 8K - 4 GiB - 84 of 640 px - conv3_3, conv4_3 -" in text
    assert "- 300 - 9.04" in text
    assert "seeded weights, 3 threads" in text
    assert "were in a file, for want of memory, at 8K, 7680×4320 px." in text
    assert "4096 px: of 2 GiB, 1.0 GiB are available" in text
    assert "1024 px: no record yet; run ``make px1024``, about 1 minute;" in text
    assert "did not fall" not in text


@pytest.mark.parametrize("odd", [{"finite": False}, {"losses": [1.0, 2.0, 3.0]}])
def test_what_is_odd_is_told(odd: dict[str, Any], save: Save, tmp_path: Path) -> None:
    save(CELLS[0], **odd)
    assert "At 512 px the loss did not fall, or" in rendered(tmp_path)


def test_what_2016_did_there_stands_beside(
    save: Save, where: dict[str, Any], tmp_path: Path
) -> None:
    save(CELLS[0])
    assert "of this machine, with" not in rendered(tmp_path)
    cell = LimitCell(512, "1.5", 2, "CPU")
    failed = LimitRecord(cell=cell, environment=where, failed="out of memory at 2 GiB")
    records.save(failed, tmp_path)
    assert "Chainer 1.5 held: it failed, out of memory at 2 GiB." in rendered(tmp_path)


def test_without_records_the_commands_are_told() -> None:
    text = parts.render("past", [])
    assert "No machine has a record of it yet." in text
    assert "``make px4096`` and ``make px8k``" in text
    need = predicted(LimitCell(512, "1.5", 2, "CPU"))
    assert formats.mebibytes(need) in text
    html.convert(text, "past")
