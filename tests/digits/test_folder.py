from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import idx_files
import numpy as np
import pytest

from chainer_style.digits import folder, published
from chainer_style.errors import UserError
from chainer_style.weights.folder import VARIABLE as MODELS


@pytest.mark.parametrize("pack", [True, False])
def test_digits_are_read_as_they_were_drawn(tmp_path: Path, pack: bool) -> None:
    idx_files.write(tmp_path, t10k=30, pack=pack)
    images, labels = idx_files.draw(30, seed=1)
    digits, files = folder.read("t10k", tmp_path)
    assert digits.images.shape == (30, 1, 12, 12)
    assert digits.images.dtype == np.float32
    assert digits.labels.dtype == np.int32
    np.testing.assert_allclose(digits.images[:, 0], images / 255.0, rtol=1e-6)
    np.testing.assert_array_equal(digits.labels, labels)
    assert 0.9 < digits.images.max() <= 1
    for facts in files:
        content = (tmp_path / facts.name).read_bytes()
        content = gzip.decompress(content) if pack else content
        assert facts.md5 == hashlib.md5(content).hexdigest()
        assert not facts.is_published


def test_halves_that_are_whole(tmp_path: Path) -> None:
    idx_files.write(tmp_path, train=20, t10k=20)
    assert folder.halves(tmp_path) == ("train", "t10k")
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    assert folder.halves(tmp_path) == ("t10k",)
    assert folder.halves(tmp_path / "none") == ()


def test_names_with_a_dot(tmp_path: Path) -> None:
    idx_files.write(tmp_path, train=20, pack=False)
    for name in ("images", "labels"):
        (path,) = tmp_path.glob(f"train-{name}*")
        path.rename(tmp_path / path.name.replace("-idx", ".idx"))
    assert len(folder.read("train", tmp_path)[0]) == 20


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    idx_files.write(tmp_path, t10k=20)
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(idx_files.packed(np.zeros(19, np.uint8)))
    with pytest.raises(UserError, match=r"20 images, .* 19 labels"):
        folder.read("t10k", tmp_path)
    path.write_bytes(idx_files.packed(np.full(20, 10, np.uint8)))
    with pytest.raises(UserError, match="has a label 10; digits are 0 to 9"):
        folder.read("t10k", tmp_path)
    path.unlink()
    with pytest.raises(UserError, match="there is no t10k-labels-idx1-ubyte in"):
        folder.read("t10k", tmp_path)


def test_home(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv(folder.VARIABLE, raising=False)
    monkeypatch.setenv(MODELS, str(tmp_path))
    assert folder.home() == tmp_path / "mnist"
    monkeypatch.setenv(folder.VARIABLE, str(tmp_path / "other"))
    assert folder.home() == tmp_path / "other"


def test_the_published_files() -> None:
    assert [file.unpacked for file in published.FILES] == [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]
    digests = [*(d for file in published.FILES for _, d in file.checksums)]
    digests += [file.content for file in published.FILES]
    assert len(set(digests)) == 12
    assert {len(d) for d in digests} == {32, 64}
    for file in published.FILES:
        assert all(mirror.url.endswith(f"/{file.name}") for mirror in file.mirrors)
