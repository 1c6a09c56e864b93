from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from chainer_style.errors import UserError
from chainer_style.report import machines


def test_the_machine_asked_for_leads(results: Path) -> None:
    for name, other in (("long", "short"), ("short", "long")):
        found = machines.read(results, name)
        assert [machine.name for machine in found.machines] == [name, other]
        assert not found.skipped


@pytest.mark.parametrize("leading", ["neither", None])
def test_otherwise_the_one_with_most_measured_leads(
    results: Path, leading: str | None
) -> None:
    """As on a computer that only merges the records of others."""
    assert machines.read(results, leading).machines[0].name == "long"


def test_what_cannot_be_read_is_skipped_and_named(
    tmp_path: Path, machine_writer: Callable[..., object]
) -> None:
    machine_writer(tmp_path, "one", 1)
    own = tmp_path / "one"
    (own / "rates" / "nin-128-gpu.json").write_text("{")
    (own / "other").mkdir()
    (own / "other" / "x.json").write_text('{"format": 2, "experiment": "other"}')
    (own / "vgg16-64-cpu.json").write_text('{"format": 1, "cell": {}}')
    found = machines.read(tmp_path)
    (machine,) = found.machines
    assert len(machine.everything) == 19
    older, damaged, unknown = sorted(found.skipped, key=lambda s: "format" not in s)
    assert "one/vgg16-64-cpu.json is an older record" in older
    assert {"nin-128-gpu.json" in damaged, "nin-128-gpu.json" in unknown} == {
        True,
        False,
    }
    assert any("no experiment has the name 'other'" in s for s in found.skipped)


def test_a_folder_that_was_copied_under_another_name_is_another_machine(
    results: Path, tmp_path: Path
) -> None:
    shutil.copytree(results / "long", tmp_path / "server")
    shutil.copytree(results / "long", tmp_path / "laptop")
    names = [machine.name for machine in machines.read(tmp_path).machines]
    assert names == ["laptop", "server"]


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no records below .*: run make reproduce"):
        machines.read(tmp_path)


def test_nothing_but_damaged_records(tmp_path: Path) -> None:
    (tmp_path / "one" / "rates").mkdir(parents=True)
    (tmp_path / "one" / "rates" / "x.json").write_text("[]")
    with pytest.raises(UserError, match=r"1 skipped: .*x\.json is not a record"):
        machines.read(tmp_path)
