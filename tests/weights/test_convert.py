from __future__ import annotations

import hashlib
from pathlib import Path

import caffe_files
import numpy as np
import pytest

from chainer_style.errors import UserError
from chainer_style.networks import NETWORKS, Network
from chainer_style.weights import store
from chainer_style.weights.convert import convert


@pytest.fixture
def source(tmp_path: Path, arrays) -> Path:
    path = tmp_path / "m.caffemodel"
    path.write_bytes(caffe_files.model_of(arrays))
    return path


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    """Make the tests' network one of the package's."""
    monkeypatch.setitem(NETWORKS, network.name, network)


@pytest.mark.parametrize("whole", [True, False])
def test_convert(tmp_path: Path, source: Path, network, arrays, whole: bool) -> None:
    wanted = network if whole else network.upto_taps()
    target = tmp_path / "w.h5"
    returned = convert(source, target, network, whole=whole)
    read = store.load(target)
    assert read.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (read.network, read.kind, read.source) == ("tiny", "trained", source.name)
    assert set(read.arrays) == set(wanted.parameter_shapes()) == set(returned.arrays)
    for layer, parameters in read.arrays.items():
        for key, array in parameters.items():
            np.testing.assert_array_equal(array, arrays[layer][key])


@pytest.mark.usefixtures("known")
def test_convert_recognises_and_keeps_the_part(tmp_path: Path, source: Path) -> None:
    weights = convert(source, tmp_path / "w.h5")
    assert weights.network == "tiny"
    assert list(store.load(tmp_path / "w.h5").arrays) == ["conv1/3x3_s2", "mixed/1x1"]


def test_convert_does_not_overwrite_its_source(tmp_path: Path, source: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    for target in (source, tmp_path / "link"):
        with pytest.raises(UserError, match="is the file to convert"):
            convert(source, target)


def test_convert_of_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "w.h5").touch()
    with pytest.raises(UserError, match="there is no file"):
        convert(tmp_path / "no", tmp_path / "w.h5")
