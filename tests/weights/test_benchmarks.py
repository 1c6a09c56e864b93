"""The scripts in ``benchmarks`` run, and write records that the pages can show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_agreement(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    record = tmp_path / "agreement.json"
    words = ["--networks", "nin", "--record", str(record)]
    script = [sys.executable, str(SCRIPTS / "agreement.py")]
    subprocess.run([*script, *words], check=True, capture_output=True)
    rows = json.loads(record.read_text())["rows"]
    assert {(row["as"], row["format"]) for row in rows} >= {
        ("caffe", "V1"),
        ("caffe", "V2"),
        ("2016", "V1"),
    }
    for row in rows:
        assert row["opencv"] < 1e-4
        assert row["caffe_function"] is None or row["caffe_function"] < 1e-4
