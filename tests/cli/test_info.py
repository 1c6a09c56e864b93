from __future__ import annotations

from pathlib import Path

import caffe_files
import numpy as np
import pytest
from caffe_files import Blob, Layer
from click.testing import CliRunner

from chainer_style.cli.info import info
from chainer_style.errors import UserError


def test_info(tmp_path: Path) -> None:
    path = tmp_path / "m.caffemodel"
    layer = Layer("conv1", 4, (Blob(np.ones((2, 3, 1, 1), np.float32)),))
    path.write_bytes(caffe_files.encode([layer, Layer("relu1", 18)], "small"))
    result = CliRunner().invoke(info, [str(path)])
    assert result.exit_code == 0
    assert "'small'" in result.output
    assert "2×3×1×1" in result.output
    assert result.output.endswith("\nlayers without parameters: 1 (ReLU 1)\n")


def test_info_refuses(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        CliRunner().invoke(info, [str(tmp_path / "m")], catch_exceptions=False)
