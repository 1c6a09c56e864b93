from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "gallery.py"


def gallery(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_sheet_has_a_picture_for_every_pair(tmp_path):
    sheet = tmp_path / "sheet.png"
    contents = [ROOT / "samples" / f"{name}.jpg" for name in ("lighthouse", "ink")]
    styles = [ROOT / "samples" / f"{name}.jpg" for name in ("swirls",)]
    run = gallery(
        *("-c", *contents, "-s", *styles, "-o", sheet, "-w", "48"),
        *("--weights", "seeded", "--iterations", "2"),
    )
    assert run.returncode == 0, run.stderr
    with Image.open(sheet) as image:
        assert image.text["Description"] == "seeded (untrained) weights"
        assert image.width == 2 * (48 + 6)
        cells = np.asarray(image)[: 3 * 54].astype(float)
    _, *filled = [
        cells[i : i + 48, j : j + 48].std() for i in (0, 54, 108) for j in (0, 54)
    ]
    assert min(filled) > 10
    content, painted = cells[54:102, :48], cells[54:102, 54:102]
    assert abs(content - painted).mean() > 1
    assert abs(content - painted).mean() < abs(content - cells[108:156, :48]).mean()


def test_bad_input_is_told_in_one_line(tmp_path):
    for arguments in (["-c", "no.jpg"], ["-o", tmp_path / "sheet.xyz"]):
        run = gallery("-s", ROOT / "samples" / "ink.jpg", *arguments)
        assert run.returncode == 2
        assert "Traceback" not in run.stderr
        assert not list(tmp_path.iterdir())
